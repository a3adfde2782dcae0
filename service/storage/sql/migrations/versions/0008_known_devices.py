"""Browsers that an account knows, and the browser and address of a session"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "sign_in_devices",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("seen_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tried_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("locked_until_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("hash"),
    )
    with op.batch_alter_table("sign_in_devices") as table:
        table.create_index("sign_in_devices_by_user", ["user_id"])
    with op.batch_alter_table("users") as table:
        table.add_column(sa.Column("failed_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("address", sa.String(length=64), server_default="", nullable=False))
        table.add_column(sa.Column("browser", sa.String(length=40), server_default="", nullable=False))
        table.add_column(sa.Column("device", sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sessions") as table:
        for name in ("device", "browser", "address"):
            table.drop_column(name)
    with op.batch_alter_table("users") as table:
        table.drop_column("failed_us")
    op.drop_table("sign_in_devices")
