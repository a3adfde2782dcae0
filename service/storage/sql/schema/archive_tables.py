"""What platforms sent: complaints, outcomes, withdrawals, totals, the feed, and what could not be archived."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from service.fields import ID_CHARACTERS
from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

# One row a tenant, written by the ingest worker alone (its epoch decides).
ingest_state = Table(
    "ingest_state",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("epoch", Integer, nullable=False, server_default="0"),
    # all items at or below it are archived or dead
    Column("archived_position", Big, nullable=False, server_default="0"),
    # stream entry that the position came from: distinguishes a redelivery from a rolled back Redis
    Column(
        "archived_entry", String(48), nullable=False, server_default="0-0", info=not_personal("an entry of the stream")
    ),
    Column("archived", Big, nullable=False, server_default="0"),
    Column("duplicates", Big, nullable=False, server_default="0"),
    Column("conflicting", Big, nullable=False, server_default="0"),
    Column("late", Big, nullable=False, server_default="0"),
    Column("last_seq", Big, nullable=False, server_default="0"),
    Column("watermark_us", Big),
    Column("received_us", Big),
)

complaints = Table(
    "complaints",
    metadata,
    Column("row_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("id", String(ID_CHARACTERS), nullable=False, info=not_personal("the platform's id of an item")),
    Column("occurred_us", Big, nullable=False),
    Column("received_us", Big, nullable=False),
    Column("reporter_key", Big, nullable=False, info=personal("reporter key")),
    Column("target_key", Big, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("reporter_id", String(ID_CHARACTERS), nullable=False, info=personal("reporter id")),
    Column("target_id", String(ID_CHARACTERS), nullable=False, info=not_personal("the platform's id of a target")),
    Column("content", Text, nullable=False, info=personal("complaint")),  # the canonical JSON as accepted
    # of the complaint whose act it is part of (`part_of`), where that is archived; null: an act of its own
    Column("act_key", Big),
    UniqueConstraint("tenant_id", "id", name="complaints_by_id"),
    Index("complaints_by_target", "tenant_id", "target_key", "reporter_key"),
    Index("complaints_by_reporter", "tenant_id", "reporter_key"),
    Index(
        "complaints_by_act",
        "tenant_id",
        "reporter_key",
        sqlite_where=text("act_key IS NOT NULL"),
        postgresql_where=text("act_key IS NOT NULL"),
    ),
)

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("complaint_id", String(ID_CHARACTERS), primary_key=True, info=not_personal("the platform's id of an item")),
    Column("seq", Big, nullable=False),
    Column("received_us", Big, nullable=False),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("row_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("id", String(ID_CHARACTERS), nullable=False, info=not_personal("the platform's id of an item")),
    Column("target_key", Big, nullable=False),
    Column("decided_us", Big, nullable=False),
    Column("received_us", Big, nullable=False),
    Column("complaint_id", String(ID_CHARACTERS), info=not_personal("the platform's id of an item")),
    Column("content", Text, nullable=False, info=personal("document")),
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

# How many complaints people filed in each ten minutes (service/storage/complaints/complaint_counts.py): a chart of a
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
# Every rise of ingest_state.archived_position has a row: one of repeats alone uses up a seq that belongs to no item.
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
    Column("payload", LargeBinary, nullable=False, info=personal("feed")),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("position", Big, nullable=False),
    Column("received_us", Big, nullable=False),
    Column("dead_us", Big, nullable=False),
    Column("error", Text, nullable=False, info=personal("dead letter")),
    Column("line", Text, nullable=False, info=personal("dead letter")),
    Column("resent_us", Big),  # in the stream again since: pending, no longer dead
    Index("dead_letters_by_tenant", "tenant_id", "id"),
)
