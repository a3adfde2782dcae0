"""Messages to people: formats and quiet hours of subscriptions, e-mail, and which case was reported to whom"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    with op.batch_alter_table("subscriptions") as table:
        table.add_column(sa.Column("format", sa.String(16), nullable=False, server_default="brigadewatch"))
        table.add_column(sa.Column("quiet_from", sa.Integer()))
        table.add_column(sa.Column("quiet_until", sa.Integer()))
        table.add_column(sa.Column("time_zone", sa.String(64), nullable=False, server_default="UTC"))
    op.create_table(
        "reported_cases",
        sa.Column("receiver", sa.String(40), nullable=False),
        sa.Column("case_id", sa.String(40), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("at_us", big, nullable=False),
        sa.PrimaryKeyConstraint("receiver", "case_id"),
    )
    op.create_table(
        "mail_preferences",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("cadence", sa.String(16), nullable=False, server_default="off"),
        sa.Column("minute", sa.Integer(), nullable=False, server_default="480"),
        sa.Column("time_zone", sa.String(64), nullable=False, server_default="UTC"),
        sa.Column("quiet_from", sa.Integer()),
        sa.Column("quiet_until", sa.Integer()),
        sa.Column("confirmed_us", big),
        sa.Column("test_us", big),
        sa.Column("reported_us", big, nullable=False),
        sa.Column("next_us", big),
        sa.Column("sent_us", big),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("last_error", sa.Text()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_index("mail_preferences_by_tenant", "mail_preferences", ["tenant_id"])


def downgrade() -> None:
    op.drop_table("mail_preferences")
    op.drop_table("reported_cases")
    with op.batch_alter_table("subscriptions") as table:
        for column in ("time_zone", "quiet_until", "quiet_from", "format"):
            table.drop_column(column)
