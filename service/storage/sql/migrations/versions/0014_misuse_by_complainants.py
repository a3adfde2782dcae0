"""Notices that a person found manifestly unfounded, and what the platform did about their complainants"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "misuse_marks",
        sa.Column("row_key", big, autoincrement=False, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("reporter_key", big, nullable=False),
        sa.Column("reporter_id", sa.String(128), nullable=False),
        sa.Column("at_us", big, nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("row_key"),
    )
    with op.batch_alter_table("misuse_marks") as table:
        table.create_index("misuse_marks_by_reporter", ["tenant_id", "reporter_key"])
    op.create_table(
        "misuse_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("reporter_key", big, nullable=False),
        sa.Column("reporter_id", sa.String(128), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("at_us", big, nullable=False),
        sa.Column("until_us", big, nullable=True),
        sa.Column("manifest", sa.Integer(), nullable=False),
        sa.Column("notices", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("gravity", sa.Text(), nullable=False),
        sa.Column("intention", sa.Text(), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("misuse_steps") as table:
        table.create_index("misuse_steps_by_reporter", ["tenant_id", "reporter_key", "id"])
        table.create_index("misuse_steps_by_time", ["tenant_id", "at_us"])


def downgrade() -> None:
    op.drop_table("misuse_steps")
    op.drop_table("misuse_marks")
