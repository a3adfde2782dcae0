"""Who has to be forgotten, and how far retention has come."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_hash", String(64), nullable=False, info=not_personal("a keyed hash: refuses what is sent again")),
    Column("reporter_id", Text, info=personal("erasure")),
    Column("token", String(64), nullable=False, info=not_personal("a random token in place of the name")),
    Column("state", String(12), nullable=False, info=not_personal("asked | replaced | done")),
    Column("asked_us", Big, nullable=False),
    Column("done_us", Big),
    Index("erasures_by_reporter", "tenant_id", "reporter_hash"),
)

# One row a tenant with a retention (storage/privacy/retention_guard.py).
retention_state = Table(
    "retention_state",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("before_us", Big),  # what was received earlier is deleted: the cut-off of the last run that was finished
    # the run that was refused; null: none was since the last finished one
    Column("refused_us", Big),
    Column("refused_because", String(16), info=not_personal("clocks | amount")),
    Column("refused_before_us", Big),
    Column("refused_records", Big),
    # what somebody has consented to and no run has used yet
    Column("consent_before_us", Big),
    Column("consent_records", Big),
)
