"""What Alembic runs: migrations on the connection that database.migrate brings along, in its transaction."""

from alembic import context

from service.storage.sql.migrations.byte_order import compare_bytes
from service.storage.sql.schema.declarations import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
    compare_bytes(connection)
