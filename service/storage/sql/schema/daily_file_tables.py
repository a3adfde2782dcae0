"""The archive as files by day: who has them, and which days have to be written again."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text

from service.storage.sql.schema.declarations import Big, metadata, not_personal

# A row for each tenant that has them.
daily_files = Table(
    "daily_files",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("since_us", Big, nullable=False),
    # the files hold all that was archived before it; null: not yet
    Column("written_us", Big),
    # since when an erasure waits for what it changed to be written; null: none does
    Column("required_us", Big),
    Column("last_error", Text, info=not_personal("why the store refused a file")),
)

# What days there are, where their rows lie in the archive, and how often they changed since they were written.
daily_file_days = Table(
    "daily_file_days",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("noun", String(12), primary_key=True, info=not_personal("complaints | outcomes")),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("low_key", Big, nullable=False),
    Column("high_key", Big, nullable=False),
    Column("changes", Integer, nullable=False),  # since the file was written; 0: it is as the archive is
)
