"""The tables. Integers named *_us are microseconds since 1970, *_key are hashing.key_of() of an id.

A row key is `tenant_id << 40 | seq`: one integer that orders a tenant's items and is SQLite's rowid.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
Big = BigInteger().with_variant(Integer, "sqlite")

STANDING, REPEAT, WITHDRAWN, MACHINE = 0, 1, 2, 3  # complaints.state

tenants = Table(
    "tenants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False, unique=True),
    Column("created_us", Big, nullable=False),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("name", String(128), nullable=False, server_default=""),
    Column("scopes", String(128), nullable=False),
    Column("created_us", Big, nullable=False),
    Column("revoked_us", Big),
)
# One row a tenant, written by the ingest worker alone (its epoch decides).
ingest_state = Table(
    "ingest_state",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("epoch", Integer, nullable=False, server_default="0"),
    # all items at or below it are archived or dead
    Column("archived_position", Big, nullable=False, server_default="0"),
    # stream entry that the position came from: tells a redelivery from a rolled back Redis
    Column("archived_entry", String(48), nullable=False, server_default="0-0"),
    Column("archived", Big, nullable=False, server_default="0"),
    Column("duplicates", Big, nullable=False, server_default="0"),
    Column("conflicting", Big, nullable=False, server_default="0"),
    Column("late", Big, nullable=False, server_default="0"),
    Column("last_seq", Big, nullable=False, server_default="0"),
    Column("watermark_us", Big),
    Column("received_us", Big),
)
# One row a tenant, written by the detect worker alone (its epoch decides).
analysis_state = Table(
    "analysis_state",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("cursor_seq", Big, nullable=False, server_default="0"),
    Column("analysed_position", Big, nullable=False, server_default="0"),
    Column("analysed", Big, nullable=False, server_default="0"),
    Column("watermark_us", Big),
    Column("as_of_us", Big),
    Column("swept_seq", Big, nullable=False, server_default="0"),
    Column("swept_position", Big, nullable=False, server_default="0"),
    Column("swept_watermark_us", Big),
    Column("swept_us", Big),
    Column("decision_cursor", Big, nullable=False, server_default="0"),
    Column("policy_version", String(32)),
)
complaints = Table(
    "complaints",
    metadata,
    Column("row_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("id", String(128), nullable=False),
    Column("occurred_us", Big, nullable=False),
    Column("received_us", Big, nullable=False),
    Column("reporter_key", Big, nullable=False),
    Column("target_key", Big, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("reporter_id", String(128), nullable=False),
    Column("target_id", String(128), nullable=False),
    Column("content", Text, nullable=False),  # the canonical JSON as accepted
    UniqueConstraint("tenant_id", "id", name="complaints_by_id"),
    Index("complaints_by_target", "tenant_id", "target_key", "reporter_key"),
    Index("complaints_by_reporter", "tenant_id", "reporter_key"),
)
withdrawals = Table(
    "withdrawals",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("complaint_id", String(128), primary_key=True),
    Column("seq", Big, nullable=False),
    Column("received_us", Big, nullable=False),
)
outcomes = Table(
    "outcomes",
    metadata,
    Column("row_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("id", String(128), nullable=False),
    Column("target_key", Big, nullable=False),
    Column("decided_us", Big, nullable=False),
    Column("received_us", Big, nullable=False),
    Column("complaint_id", String(128)),
    Column("content", Text, nullable=False),
    UniqueConstraint("tenant_id", "id", name="outcomes_by_id"),
    Index("outcomes_by_target", "tenant_id", "target_key"),
    Index("outcomes_by_complaint", "tenant_id", "complaint_id"),
)
targets = Table(
    "targets",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("target_key", Big, primary_key=True, autoincrement=False),
    Column("complaints", Integer, nullable=False),  # distinct reporters whose complaint stands
)
# How many complaints people filed in each ten minutes (service/storage/complaints/complaint_counts.py): a picture of a
# week is read from a thousand rows. No person is in it.
complaint_counts = Table(
    "complaint_counts",
    metadata,
    # by occurred_at
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("slot_us", Big, primary_key=True, autoincrement=False),
    # as they came: repeats and what was withdrawn since included, machines not
    Column("complaints", Integer, nullable=False),
)
# What the detect worker reads: one row an ingest transaction, columns packed by service/storage/complaints/feed.py.
# Every rise of ingest_state.archived_position has a row: one of repeats alone uses up a seq that nothing bears.
feed = Table(
    "feed",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("last_seq", Big, primary_key=True, autoincrement=False),
    Column("first_seq", Big, nullable=False),
    # items of the stream that it covers, repeats included
    Column("last_position", Big, nullable=False),
    Column("items", Integer, nullable=False),
    # receipt of its first and its last item
    Column("oldest_received_us", Big, nullable=False),
    Column("received_us", Big, nullable=False),
    # newest occurred_at inside, of what was removed too; null: no complaint inside
    Column("watermark_us", Big),
    Column("newest_us", Big),
    Column("payload", LargeBinary, nullable=False),
)
sweeps = Table(
    "sweeps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("seq", Big, nullable=False),
    Column("position", Big, nullable=False),
    Column("watermark_us", Big),
    Column("finished_us", Big, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("sweeps_by_tenant", "tenant_id", "id"),
)
clusters = Table(
    "clusters",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("disposition", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("snooze_until_us", Big),
    Column("score", Float, nullable=False),
    Column("probability", Float, nullable=False),
    Column("unfounded_probability", Float, nullable=False),
    Column("settle_with", Text, nullable=False, server_default="[]"),
    Column("first_us", Big, nullable=False),
    Column("last_us", Big, nullable=False),
    Column("reporter_count", Integer, nullable=False),
    Column("target_count", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("policy_version", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("merged_into", String(40)),
    Column("split_from", String(40)),
    Column("earlier", String(40)),
    Column("verdict", String(20)),  # standing decision: coordinated | not_coordinated | null
    # sizes when decided: growth since reopens
    Column("decided_reporters", Integer),
    Column("decided_targets", Integer),
    Column("found_us", Big, nullable=False),  # event time, the quota's day
    # span of its complaints that retention deleted; null: none
    Column("trimmed_first_us", Big),
    Column("trimmed_last_us", Big),
    Column("revoked_us", Big),
    Column("revoked_because", Text),
    Column("changed_by", String(128), nullable=False, server_default="detector"),
    Index("clusters_by_last", "tenant_id", "last_us", "id"),
    Index("clusters_by_survivor", "tenant_id", "merged_into"),
    # All that the console's queue counts, filters and sorts by, so that it never reads the wide rows of cases that it
    # does not show.
    Index(
        "clusters_by_queue",
        "tenant_id",
        "status",
        "disposition",
        "snooze_until_us",
        "score",
        "found_us",
        "last_us",
        "first_us",
        "reporter_count",
        "kind",
        "id",
        "verdict",
    ),
)
cluster_members = Table(
    "cluster_members",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("reporter_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_id", String(128), nullable=False),
    Column("excluded", Boolean, nullable=False),
    Index("members_by_reporter", "tenant_id", "reporter_key"),
)
cluster_targets = Table(
    "cluster_targets",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("target_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("target_id", String(128), nullable=False),
    Column("author_key", Big, nullable=False, server_default="0"),
    Column("author_id", String(128)),
    Index("cluster_targets_by_target", "tenant_id", "target_key"),
    Index("cluster_targets_by_author", "tenant_id", "author_id"),
)
# The members' complaints on the cluster's targets: what the independent count discounts and graphs draw.
cluster_complaints = Table(
    "cluster_complaints",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("row_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_key", Big, nullable=False),
    Column("target_key", Big, nullable=False),
    Column("occurred_us", Big, nullable=False),
    Column("exempt", Boolean, nullable=False),  # trusted reporter or illegal-content notice: never discounted
    Column("gone", Boolean, nullable=False, server_default="0"),  # withdrawn since
    Column("verdict", String(20)),  # the decision that was made about this complaint
    Index("cluster_complaints_by_row", "row_key"),
)
decisions = Table(
    "decisions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("tenant_id", Integer, nullable=False),
    Column("cluster_id", ForeignKey("clusters.id"), nullable=False),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("reason_code", String(20), nullable=False),
    Column("note", Text),
    Column("excluded_reporters", Text, nullable=False),
    Column("snooze_until_us", Big),
    Column("reverses", String(40)),
    Column("version", Integer, nullable=False),
    Index("decisions_by_cluster", "cluster_id", "seq"),
    Index("decisions_by_tenant", "tenant_id", "seq"),
    Index("decisions_by_reversed", "tenant_id", "reverses"),
)
policy_overrides = Table(
    "policy_overrides",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False),
    Column("values", Text, nullable=False),
)
audit_trail = Table(
    "audit_trail",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("at_us", Big, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("detail", Text, nullable=False),
    Index("audit_by_tenant", "tenant_id", "id"),
)
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("position", Big, nullable=False),
    Column("received_us", Big, nullable=False),
    Column("dead_us", Big, nullable=False),
    Column("error", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("resent_us", Big),  # in the stream again since: pending, no longer dead
    Index("dead_letters_by_tenant", "tenant_id", "id"),
)
# When a job of a kind is due for a tenant; the clock enqueues it, the job writes the next time or removes the row
# (storage/sql/timers.py).
timers = Table(
    "timers",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("work", String(16), primary_key=True),
    Column("due_us", Big, nullable=False),
    Index("timers_by_due", "due_us"),
)
# One row a tenant that differs from the defaults (storage/accounts/tenant_settings.py).
tenant_settings = Table(
    "tenant_settings",
    metadata,
    # encrypted
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("pseudonyms", Boolean, nullable=False, server_default="0"),
    Column("pseudonym_key", Text),
    Column("keep_text", Boolean, nullable=False, server_default="0"),
    Column("retention_days", Integer),
    Column("rate_per_second", Float),
)
# Inbound connections. `id` is the unguessable end of the path that a platform posts to; of a poller it is only a name.
sources = Table(
    "sources",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("platform", String(16), nullable=False),
    Column("url", Text),
    Column("secret", Text),
    Column("previous_secret", Text),
    Column("previous_until_us", Big),  # both encrypted
    Column("mapping", Text),  # of the generic platform: JSON
    Column("created_us", Big, nullable=False),
    Column("removed_us", Big),
    # of a poller
    Column("cursor", Text),
    Column("next_poll_us", Big),
    Column("polled_us", Big),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    Index("sources_by_tenant", "tenant_id", "id"),
)
subscriptions = Table(
    "subscriptions",
    metadata,
    # JSON list; empty: all
    Column("id", String(40), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    # both encrypted
    Column("description", String(256), nullable=False, server_default=""),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("previous_until_us", Big),
    Column("created_us", Big, nullable=False),
    Column("disabled_us", Big),
    Column("disabled_because", Text),
    # attempts in a row that nobody answered, or with a wish to be left alone ...
    Column("silences", Integer, nullable=False, server_default="0"),
    Column("rest_until_us", Big),  # ... and until when it is left alone
    Index("subscriptions_by_tenant", "tenant_id", "id"),
)
# The outbox: what happened, written in the transaction that made it so; its id is derived from what it says, so that it
# is there once.
events = Table(
    "events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("type", String(40), nullable=False),
    Column("at_us", Big, nullable=False),
    Column("data", Text, nullable=False),
    Index("events_by_tenant", "tenant_id", "at_us"),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("subscription_id", String(40), nullable=False),
    Column("event_id", String(40), nullable=False),
    Column("state", String(12), nullable=False),  # pending | delivered | failed | cancelled
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_us", Big),
    Column("created_us", Big, nullable=False),
    Column("finished_us", Big),
    Index("deliveries_due", "tenant_id", "state", "next_us"),
    Index("deliveries_by_subscription", "subscription_id", "created_us", "id"),
)
delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("delivery_id", String(40), nullable=False),
    Column("tenant_id", Integer, nullable=False),
    Column("at_us", Big, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Index("attempts_by_delivery", "delivery_id", "id"),
)
# Targets that were removed while a cluster inflated their count.
restorations = Table(
    "restorations",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("target_key", Big, primary_key=True, autoincrement=False),
    Column("target_id", String(128), nullable=False),
    Column("state", String(12), nullable=False),  # open | restored | stands
    Column("harm", Float, nullable=False),
    Column("complaints", Integer, nullable=False),
    Column("independent", Float, nullable=False),
    Column("cluster_ids", Text, nullable=False),
    # the outcome that removed it
    Column("threshold", Integer, nullable=False),
    Column("removal_id", String(128), nullable=False),
    Column("removed_us", Big, nullable=False),
    Column("removed_by", String(12), nullable=False),
    Column("opened_us", Big, nullable=False),
    Column("changed_us", Big, nullable=False),
    Column("opened_seq", Big, nullable=False),  # outcomes received later may know of the cluster
    Index("restorations_by_harm", "tenant_id", "state", "harm"),
)
# Reporters for whom a warning was suggested, so that it is suggested once.
reporter_warnings = Table(
    "reporter_warnings",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("reporter_key", Big, primary_key=True, autoincrement=False),
    Column("reporter_id", String(128), nullable=False),
    Column("at_us", Big, nullable=False),
    Column("detail", Text, nullable=False),
)
erasures = Table(
    "erasures",
    metadata,
    # keyed: refuses what is sent again
    Column("id", String(40), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_hash", String(64), nullable=False),
    Column("reporter_id", Text),  # encrypted, until done
    Column("token", String(64), nullable=False),
    Column("state", String(12), nullable=False),  # asked | replaced | done
    Column("asked_us", Big, nullable=False),
    Column("done_us", Big),
    Index("erasures_by_reporter", "tenant_id", "reporter_hash"),
)
# People who sign in to the console.
users = Table(
    "users",
    metadata,
    # argon2id
    Column("id", Integer, primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", String(12), nullable=False),  # viewer | moderator | admin
    Column("created_us", Big, nullable=False),
    Column("disabled_us", Big),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until_us", Big),
    Column("preferences", Text, nullable=False, server_default="{}"),  # theme, keys on or off: JSON
    # the password is one that somebody else made: to be changed at the first sign-in
    Column("one_time", Boolean, nullable=False, server_default="0"),
    UniqueConstraint("tenant_id", "name", name="users_by_name"),
)
sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_us", Big, nullable=False),
    # what the next page shows once: JSON
    Column("seen_us", Big, nullable=False),
    Column("expires_us", Big, nullable=False),
    Column("flash", Text),
    Index("sessions_by_user", "user_id"),
    Index("sessions_by_expiry", "expires_us"),
)
# Where attempts to sign in came from, until one was right.
sign_in_addresses = Table(
    "sign_in_addresses",
    metadata,
    Column("address", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("seen_us", Big, nullable=False),
    Column("locked_until_us", Big),
    Index("sign_in_addresses_by_age", "seen_us"),
)
# Who has a case. Nothing that detection reads or writes.
claims = Table(
    "claims",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("by", String(128), nullable=False),
    Column("at_us", Big, nullable=False),
    Index("claims_by_person", "tenant_id", "by"),
)
notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("cluster_id", ForeignKey("clusters.id"), nullable=False),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False),
    Column("text", Text, nullable=False),
    Index("notes_by_cluster", "cluster_id", "id"),
)
# Known good patrols: shown in clusters, never discounted, as if the platform had called them trusted.
allowed_reporters = Table(
    "allowed_reporters",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("reporter_key", Big, primary_key=True, autoincrement=False),
    Column("reporter_id", String(128), nullable=False),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False),
    Column("note", Text),
)
# What other thresholds would have flagged in the last days: asked in the console, done by a job.
dry_runs = Table(
    "dry_runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("asked_us", Big, nullable=False),
    Column("by", String(128), nullable=False),
    Column("values", Text, nullable=False),
    Column("state", String(12), nullable=False),  # asked | running | done | failed | cancelled
    Column("progress", Float, nullable=False, server_default="0"),
    Column("result", Text),
    Column("error", Text),
    Column("done_us", Big),
    Index("dry_runs_by_tenant", "tenant_id", "asked_us"),
)
