"""How people prove who they are: organisations' identity providers, second factors, passkeys, one-time links."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

# One row a tenant that signs in with OpenID Connect; the row of tenant 0 is for every tenant without its own.
identity_providers = Table(
    "identity_providers",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("issuer", Text, nullable=False, info=not_personal("an organisation's address")),
    Column("client_id", Text, nullable=False, info=not_personal("an id of ours at the provider")),
    Column("client_secret", Text, info=not_personal("a sealed secret")),
    Column("label", String(80), nullable=False, info=not_personal("an organisation's name")),
    Column("scopes", Text, nullable=False, info=not_personal("words from the provider's documentation")),
    Column("name_claim", Text, nullable=False, info=not_personal("a claim's name")),
    Column("role_claim", Text, nullable=False, info=not_personal("a claim's name")),
    # JSON: [[value of the claim, tenant or null, role], ...]; a value may be somebody's mail address
    Column("roles", Text, nullable=False, info=personal("user")),
    Column("session_hours", Integer, nullable=False),
    Column("link_by_email", Boolean, nullable=False, server_default="0"),
    Column("second_factor", Boolean, nullable=False, server_default="0"),
    Column("changed_us", Big, nullable=False),
)

# Who at a provider is which account: issuer and subject, never a mail address or a name.
user_identities = Table(
    "user_identities",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("issuer", Text, nullable=False, info=not_personal("an organisation's address")),
    Column("subject", String(255), nullable=False, info=personal("user")),
    Column("linked_us", Big, nullable=False),
    UniqueConstraint("tenant_id", "issuer", "subject", name="user_identities_by_subject"),
)

# What a tenant asks of people who sign in; one without a row has the defaults.
sign_in_rules = Table(
    "sign_in_rules",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("passwords", String(12), nullable=False, info=not_personal("all | admins")),
    Column("second_factor", String(12), nullable=False, info=not_personal("optional | required")),
)

# One-time codes from an app (TOTP); in use once confirmed.
second_factors = Table(
    "second_factors",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("secret", Text, nullable=False, info=not_personal("a sealed secret")),
    Column("confirmed_us", Big),
    Column("last_step", Big, nullable=False, server_default="0"),  # of the newest code used, in 30 s since 1970
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until_us", Big),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("hash", String(64), primary_key=True, info=not_personal("a hash of a random code")),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", String(64), primary_key=True, info=not_personal("a hash of a credential's random id")),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("credential", LargeBinary, nullable=False, info=not_personal("an authenticator's random id")),
    Column("public_key", LargeBinary, nullable=False, info=not_personal("a public key")),
    Column("sign_count", Big, nullable=False),
    Column("label", String(80), nullable=False, info=personal("user")),
    Column("created_us", Big, nullable=False),
    Column("used_us", Big),
    Index("passkeys_by_user", "user_id"),
)

one_time_links = Table(
    "one_time_links",
    metadata,
    Column("hash", String(64), primary_key=True, info=not_personal("a hash of a random token")),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("factors_too", Boolean, nullable=False),  # choosing a password by it removes the second factors
    Column("expires_us", Big, nullable=False),
    Index("one_time_links_by_user", "user_id"),
)
