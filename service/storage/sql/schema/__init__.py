"""The tables, put together. Integers named *_us are microseconds since 1970, *_key are hashing.key_of() of an id.

A row key is `tenant_id << 40 | seq`: one integer that orders a tenant's items and is SQLite's rowid. What a column
holds about people is declared in its info (declarations.py).
"""

from service.storage.sql.schema.account_tables import (
    api_keys,
    audit_trail,
    policy_overrides,
    sessions,
    sign_in_addresses,
    sign_in_devices,
    tenant_settings,
    tenants,
    timers,
    users,
)
from service.storage.sql.schema.archive_tables import (
    complaint_counts,
    complaints,
    dead_letters,
    feed,
    ingest_state,
    outcomes,
    targets,
    withdrawals,
)
from service.storage.sql.schema.campaign_tables import (
    campaign_clusters,
    campaign_links,
    campaign_statements,
    campaigns,
)
from service.storage.sql.schema.case_tables import (
    claims,
    cluster_complaints,
    cluster_members,
    cluster_targets,
    clusters,
    decisions,
    misuse_marks,
    misuse_steps,
    notes,
    reporter_warnings,
    restorations,
)
from service.storage.sql.schema.complaint_states import MACHINE, REPEAT, STANDING, WITHDRAWN
from service.storage.sql.schema.daily_file_tables import daily_file_days, daily_files
from service.storage.sql.schema.declarations import Big, metadata
from service.storage.sql.schema.detection_tables import (
    allowed_reporters,
    analysis_state,
    dry_runs,
    sweeps,
    trusted_flaggers,
)
from service.storage.sql.schema.import_tables import import_chunks, imports
from service.storage.sql.schema.installation_tables import redis_identity, redis_users
from service.storage.sql.schema.message_tables import mail_preferences, reported_cases
from service.storage.sql.schema.privacy_tables import erasures, retention_state
from service.storage.sql.schema.sign_in_tables import (
    identity_providers,
    one_time_links,
    passkeys,
    recovery_codes,
    second_factors,
    sign_in_rules,
    user_identities,
)
from service.storage.sql.schema.team_tables import (
    case_placements,
    case_tags,
    mentions,
    note_templates,
    queues,
    saved_filters,
)
from service.storage.sql.schema.webhook_tables import deliveries, delivery_attempts, events, sources, subscriptions

__all__ = [
    "MACHINE",
    "REPEAT",
    "STANDING",
    "WITHDRAWN",
    "Big",
    "allowed_reporters",
    "analysis_state",
    "api_keys",
    "audit_trail",
    "campaign_clusters",
    "campaign_links",
    "campaign_statements",
    "campaigns",
    "case_placements",
    "case_tags",
    "claims",
    "cluster_complaints",
    "cluster_members",
    "cluster_targets",
    "clusters",
    "complaint_counts",
    "complaints",
    "daily_file_days",
    "daily_files",
    "dead_letters",
    "decisions",
    "deliveries",
    "delivery_attempts",
    "dry_runs",
    "erasures",
    "events",
    "feed",
    "identity_providers",
    "import_chunks",
    "imports",
    "ingest_state",
    "mail_preferences",
    "mentions",
    "metadata",
    "misuse_marks",
    "misuse_steps",
    "note_templates",
    "notes",
    "one_time_links",
    "outcomes",
    "passkeys",
    "policy_overrides",
    "queues",
    "recovery_codes",
    "redis_identity",
    "redis_users",
    "reported_cases",
    "reporter_warnings",
    "restorations",
    "retention_state",
    "saved_filters",
    "second_factors",
    "sessions",
    "sign_in_addresses",
    "sign_in_devices",
    "sign_in_rules",
    "sources",
    "subscriptions",
    "sweeps",
    "targets",
    "tenant_settings",
    "tenants",
    "timers",
    "trusted_flaggers",
    "user_identities",
    "users",
    "withdrawals",
]
