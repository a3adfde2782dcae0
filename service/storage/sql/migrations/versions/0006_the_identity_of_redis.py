"""Which Redis belongs to the database, and who uses it"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "redis_identity",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("previous", sa.String(32)),
        sa.Column("since_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
    )
    op.create_table(
        "redis_users",
        sa.Column("name", sa.String(300), primary_key=True),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("seen_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("redis_users")
    op.drop_table("redis_identity")
