"""Who uses the service: tenants, their keys, settings and users, and the log of what was changed."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

tenants = Table(
    "tenants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False, unique=True, info=not_personal("a platform's name")),
    Column("created_us", Big, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("hash", String(64), nullable=False, unique=True, info=not_personal("a hash of a random token")),
    Column("name", String(128), nullable=False, server_default="", info=personal("user")),
    Column("scopes", String(128), nullable=False, info=not_personal("a word from a fixed set")),
    Column("created_us", Big, nullable=False),
    Column("revoked_us", Big),
)

# One row a tenant that differs from the defaults (storage/accounts/tenant_settings.py).
tenant_settings = Table(
    "tenant_settings",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("pseudonyms", Boolean, nullable=False, server_default="0"),
    Column("pseudonym_key", Text, info=not_personal("a sealed secret")),
    Column("keep_text", Boolean, nullable=False, server_default="0"),
    Column("retention_days", Integer),
    Column("rate_per_second", Float),
)

policy_overrides = Table(
    "policy_overrides",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("values", Text, nullable=False, info=personal("document")),
)

audit_trail = Table(
    "audit_trail",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("at_us", Big, nullable=False),
    Column("actor", String(128), nullable=False, info=personal("user")),
    Column("action", String(40), nullable=False, info=not_personal("a word from a fixed set")),
    Column("subject", String(160), nullable=False, info=personal("subject")),
    Column("detail", Text, nullable=False, info=personal("document")),
    Index("audit_by_tenant", "tenant_id", "id"),
)

# When a job of a kind is due for a tenant; the clock enqueues it, the job writes the next time or removes the row
# (storage/sql/timers.py).
timers = Table(
    "timers",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("work", String(16), primary_key=True, info=not_personal("a word from a fixed set")),
    Column("due_us", Big, nullable=False),
    Index("timers_by_due", "due_us"),
)

# People who sign in to the console.
users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(128), nullable=False, info=personal("user")),
    Column("password_hash", Text, nullable=False, info=not_personal("an argon2id hash of a password")),
    Column("role", String(12), nullable=False, info=not_personal("viewer | moderator | admin")),
    Column("created_us", Big, nullable=False),
    Column("disabled_us", Big),
    # failed attempts to sign in from browsers that the account does not know, as of `failed_us`
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failed_us", Big),
    Column("locked_until_us", Big),
    Column("preferences", Text, nullable=False, server_default="{}", info=not_personal("JSON: theme, keys on or off")),
    # the password was made by somebody else, to be changed at the first sign-in
    Column("one_time", Boolean, nullable=False, server_default="0"),
    UniqueConstraint("tenant_id", "name", name="users_by_name"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True, info=not_personal("a hash of a random token")),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("csrf", String(64), nullable=False, info=not_personal("a hash of a random token")),
    Column("created_us", Big, nullable=False),
    Column("seen_us", Big, nullable=False),
    Column("expires_us", Big, nullable=False),
    Column("flash", Text, info=not_personal("JSON: what the next page shows once; names no reporter")),
    Column("address", String(64), nullable=False, server_default="", info=personal("network address")),
    Column("browser", String(40), nullable=False, server_default="", info=not_personal("words of ours: a browser")),
    Column("device", String(64), info=not_personal("a hash of a random token")),
    Column("via", String(12), nullable=False, server_default="password", info=not_personal("password | sso")),
    # Of a session that a provider opened: the one there, and its sealed ID token, to end that too.
    Column("provider_session", String(255), info=not_personal("a provider's random id")),
    Column("id_token_secret", Text, info=not_personal("a sealed secret")),
    Index("sessions_by_user", "user_id"),
    Index("sessions_by_expiry", "expires_us"),
)

# Browsers in which somebody signed in to an account before (storage/accounts/sign_in_devices.py).
sign_in_devices = Table(
    "sign_in_devices",
    metadata,
    Column("hash", String(64), primary_key=True, info=not_personal("a hash of a random token")),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("seen_us", Big, nullable=False),  # its last sign-in
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("tried_us", Big),
    Column("locked_until_us", Big),
    Index("sign_in_devices_by_user", "user_id"),
)

# Where failed attempts to sign in came from: an address, or one with an account's digest
# (storage/accounts/sign_in_throttle.py).
sign_in_addresses = Table(
    "sign_in_addresses",
    metadata,
    Column("address", String(64), primary_key=True, info=personal("network address")),
    Column("failures", Integer, nullable=False),
    Column("seen_us", Big, nullable=False),
    Column("locked_until_us", Big),
    Index("sign_in_addresses_by_age", "seen_us"),
)
