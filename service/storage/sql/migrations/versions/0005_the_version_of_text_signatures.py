"""The version of text signatures in a tenant's feed: those of kept texts are computed again when it is old"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("analysis_state") as table:
        table.add_column(sa.Column("signature_version", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("analysis_state") as table:
        table.drop_column("signature_version")
