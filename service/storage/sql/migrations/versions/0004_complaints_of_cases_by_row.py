"""Complaints of cases by their row: retention takes them out without reading those of all cases"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("cluster_complaints_by_row", "cluster_complaints", ["row_key"])


def downgrade() -> None:
    op.drop_index("cluster_complaints_by_row", "cluster_complaints")
