"""What detection keeps: where it is, sweeps, the allow-list and dry runs."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from service.fields import ID_CHARACTERS
from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

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
    Column("policy_version", String(32), info=not_personal("a version")),
    # of text signatures: the feed holds none of an older one whose text is kept
    # (service/storage/complaints/signature_renewal.py)
    Column("signature_version", Integer, nullable=False, server_default="1"),
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
    Column("payload", LargeBinary, nullable=False, info=personal("sweep")),
    Index("sweeps_by_tenant", "tenant_id", "id"),
)

# Known good patrols: shown in clusters, never discounted, as if the platform had called them trusted.
allowed_reporters = Table(
    "allowed_reporters",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("reporter_key", Big, primary_key=True, autoincrement=False, info=personal("reporter key")),
    Column("reporter_id", String(ID_CHARACTERS), nullable=False, info=personal("reporter id")),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("note", Text, info=personal("prose")),
)

# Trusted flaggers (DSA Art. 22): who has the status, when and for what. Ended entries stay, and removed ones too: the
# analysis asks again what it made of complaints by everybody who is named here.
trusted_flaggers = Table(
    "trusted_flaggers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_key", Big, nullable=False, info=personal("reporter key")),
    Column("reporter_id", String(ID_CHARACTERS), nullable=False, info=personal("reporter id")),
    Column("entity", Text, nullable=False, info=personal("prose")),
    Column("coordinator", Text, nullable=False, info=personal("prose")),
    Column("since_us", Big, nullable=False),
    Column("until_us", Big),
    Column("suspended_us", Big),
    Column("area", Text, nullable=False, info=not_personal("a JSON list of the platform's words for reasons")),
    Column("note", Text, info=personal("prose")),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("removed_us", Big),  # entered by mistake: as if it had never been
    Index("trusted_flaggers_by_reporter", "tenant_id", "reporter_key"),
)

# What other thresholds would have flagged in the last days: requested in the console, computed by a job.
dry_runs = Table(
    "dry_runs",
    metadata,
    Column("id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("asked_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("values", Text, nullable=False, info=personal("document")),
    Column("state", String(12), nullable=False, info=not_personal("asked | running | done | failed | cancelled")),
    Column("progress", Float, nullable=False, server_default="0"),
    Column("result", Text, info=personal("document")),
    Column("error", Text, info=personal("prose")),
    Column("done_us", Big),
    Index("dry_runs_by_tenant", "tenant_id", "asked_us"),
)
