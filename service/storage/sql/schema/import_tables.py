"""Files that people upload to import: encrypted under a key of each upload, which is deleted with what it opens."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, String, Table, Text

from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

imports = Table(
    "imports",
    metadata,
    # also what the ids of its complaints and outcomes begin with
    Column("id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("name", String(200), nullable=False, info=personal("prose")),
    Column("bytes", Big, nullable=False),
    Column("digest", String(64), nullable=False, info=not_personal("a digest of the file")),
    Column("options", Text, nullable=False, info=not_personal("names of columns, and how times are read")),
    Column("state", String(12), nullable=False, info=not_personal("see storage/complaints/imports.py")),
    Column("progress", Float, nullable=False, server_default="0"),
    Column("began_us", Big),  # when the step under way began, for an estimate
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("oldest_us", Big),  # of its complaints
    Column("sent", Big, nullable=False, server_default="0"),  # items that are in the stream
    Column("position", Big, nullable=False, server_default="0"),  # of the last of them
    Column("result", Text, info=not_personal("counts")),
    Column("error", Text, info=personal("prose")),
    Column("done_us", Big),
    # The key of the three below, sealed; null once the upload is deleted.
    Column("secret", Text, info=not_personal("a sealed secret")),
    Column("preview", LargeBinary, info=personal("upload")),
    Column("report", LargeBinary, info=personal("upload")),
    Index("imports_by_tenant", "tenant_id", "at_us"),
)

import_chunks = Table(
    "import_chunks",
    metadata,
    Column("import_id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False, info=personal("upload")),
)
