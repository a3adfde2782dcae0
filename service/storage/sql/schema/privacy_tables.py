"""Who has to be forgotten."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

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
