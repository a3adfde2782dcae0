"""Signing in with an organisation's provider, second factors, passkeys and one-time links"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "identity_providers",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_secret", sa.Text()),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("name_claim", sa.Text(), nullable=False),
        sa.Column("role_claim", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("session_hours", sa.Integer(), nullable=False),
        sa.Column("link_by_email", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("second_factor", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("changed_us", big, nullable=False),
    )
    op.create_table(
        "user_identities",
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("tenant_id", sa.Integer(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("linked_us", big, nullable=False),
        sa.UniqueConstraint("tenant_id", "issuer", "subject", name="user_identities_by_subject"),
    )
    op.create_table(
        "sign_in_rules",
        sa.Column("tenant_id", sa.Integer(), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("passwords", sa.String(12), nullable=False),
        sa.Column("second_factor", sa.String(12), nullable=False),
    )
    op.create_table(
        "second_factors",
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("confirmed_us", big),
        sa.Column("last_step", big, server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until_us", big),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("hash", sa.String(64), primary_key=True),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", big, nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("created_us", big, nullable=False),
        sa.Column("used_us", big),
    )
    op.create_index("passkeys_by_user", "passkeys", ["user_id"])
    op.create_table(
        "one_time_links",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("factors_too", sa.Boolean(), nullable=False),
        sa.Column("expires_us", big, nullable=False),
    )
    op.create_index("one_time_links_by_user", "one_time_links", ["user_id"])
    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("via", sa.String(12), server_default="password", nullable=False))
        table.add_column(sa.Column("provider_session", sa.String(255)))
        table.add_column(sa.Column("id_token_secret", sa.Text()))


def downgrade() -> None:
    with op.batch_alter_table("sessions") as table:
        for column in ("via", "provider_session", "id_token_secret"):
            table.drop_column(column)
    op.drop_index("one_time_links_by_user", "one_time_links")
    op.drop_index("passkeys_by_user", "passkeys")
    for name in (
        "one_time_links",
        "passkeys",
        "recovery_codes",
        "second_factors",
        "sign_in_rules",
        "user_identities",
        "identity_providers",
    ):
        op.drop_table(name)
