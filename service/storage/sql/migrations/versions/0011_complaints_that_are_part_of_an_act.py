"""Complaints that are part of another complaint's act, and those of them that are discounted with a cluster"""

import sqlalchemy as sa
from alembic import op

from service.storage.sql.schema.declarations import Big

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # not by a batch: that would copy the archive
    op.add_column("complaints", sa.Column("act_key", Big))
    op.create_index(
        "complaints_by_act",
        "complaints",
        ["tenant_id", "reporter_key"],
        sqlite_where=sa.text("act_key IS NOT NULL"),
        postgresql_where=sa.text("act_key IS NOT NULL"),
    )
    op.add_column("cluster_complaints", sa.Column("listed", sa.Boolean(), nullable=False, server_default="0"))
    op.create_index(
        "cluster_complaints_by_listed_target",
        "cluster_complaints",
        ["tenant_id", "target_key"],
        sqlite_where=sa.text("listed"),
        postgresql_where=sa.text("listed"),
    )


def downgrade() -> None:
    op.drop_index("cluster_complaints_by_listed_target", "cluster_complaints")
    op.drop_column("cluster_complaints", "listed")
    op.drop_index("complaints_by_act", "complaints")
    op.drop_column("complaints", "act_key")
