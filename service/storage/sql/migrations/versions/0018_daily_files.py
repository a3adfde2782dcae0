"""The archive as files by day"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "daily_files",
        sa.Column("tenant_id", sa.Integer(), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("since_us", big, nullable=False),
        sa.Column("written_us", big),
        sa.Column("required_us", big),
        sa.Column("last_error", sa.Text()),
    )
    op.create_table(
        "daily_file_days",
        sa.Column("tenant_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("noun", sa.String(12), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("low_key", big, nullable=False),
        sa.Column("high_key", big, nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("daily_file_days")
    op.drop_table("daily_files")
