"""Compare text by its bytes, on PostgreSQL as on SQLite, so that paging by id works whatever the server's locale."""

from itertools import groupby

from sqlalchemy import Connection, text

_OTHERS = text(
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid ="
    " a.attrelid JOIN pg_collation l ON l.oid = a.attcollation WHERE c.relnamespace = current_schema()::regnamespace"
    " AND c.relkind = 'r' AND c.relname <> 'alembic_version' AND NOT a.attisdropped AND l.collname <> 'C' ORDER BY"
    " c.relname, a.attnum"
)


def compare_bytes(connection: Connection) -> None:
    """Set the collation "C" on every text column that a migration has just created."""
    if connection.dialect.name != "postgresql":
        return
    for table, columns in groupby(connection.execute(_OTHERS).all(), key=lambda row: str(row[0])):
        changes = ", ".join(f'ALTER COLUMN "{name}" TYPE {kind} COLLATE "C"' for _, name, kind in columns)
        connection.execute(text(f'ALTER TABLE "{table}" {changes}'))
