"""Namespaces of sources: what is put before the ids that a source brings"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("sources") as table:
        table.add_column(sa.Column("namespace", sa.Text()))


def downgrade() -> None:
    with op.batch_alter_table("sources") as table:
        table.drop_column("namespace")
