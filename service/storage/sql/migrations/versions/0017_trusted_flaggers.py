"""The registry of trusted flaggers (DSA Art. 22)"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "trusted_flaggers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("reporter_key", big, nullable=False),
        sa.Column("reporter_id", sa.String(128), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("coordinator", sa.Text(), nullable=False),
        sa.Column("since_us", big, nullable=False),
        sa.Column("until_us", big, nullable=True),
        sa.Column("suspended_us", big, nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at_us", big, nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("removed_us", big, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("trusted_flaggers") as table:
        table.create_index("trusted_flaggers_by_reporter", ["tenant_id", "reporter_key"])


def downgrade() -> None:
    op.drop_table("trusted_flaggers")
