"""People in the console"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index(
        "clusters_by_queue",
        "clusters",
        [
            "tenant_id",
            "status",
            "disposition",
            "snooze_until_us",
            "score",
            "found_us",
            "last_us",
            "first_us",
            "reporter_count",
            "kind",
            "id",
            "verdict",
        ],
        unique=False,
    )
    op.create_table(
        "allowed_reporters",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "reporter_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("reporter_id", sa.String(length=128), nullable=False),
        sa.Column("at_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "reporter_key"),
    )
    op.create_table(
        "complaint_counts",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("complaints", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "slot_us"),
    )
    # Of what is archived already: state 3 is machines, a slot is ten minutes, and the division rounds down also before
    # 1970.
    op.execute(
        "INSERT INTO complaint_counts (tenant_id, slot_us, complaints) SELECT tenant_id, slot, COUNT(*) FROM (SELECT"
        " tenant_id, occurred_us - ((occurred_us % 600000000) + 600000000) % 600000000 AS slot FROM complaints WHERE"
        " state <> 3) AS filed GROUP BY tenant_id, slot"
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index("decisions_by_reversed", ["tenant_id", "reverses"], unique=False)

    op.create_table(
        "dry_runs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("asked_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("values", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("progress", sa.Float(), server_default="0", nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("done_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("dry_runs", schema=None) as batch_op:
        batch_op.create_index("dry_runs_by_tenant", ["tenant_id", "asked_us"], unique=False)

    op.create_table(
        "claims",
        sa.Column("cluster_id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("at_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["clusters.id"],
        ),
        sa.PrimaryKeyConstraint("cluster_id"),
    )
    with op.batch_alter_table("claims", schema=None) as batch_op:
        batch_op.create_index("claims_by_person", ["tenant_id", "by"], unique=False)

    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.String(length=40), nullable=False),
        sa.Column("at_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["clusters.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("notes", schema=None) as batch_op:
        batch_op.create_index("notes_by_cluster", ["cluster_id", "id"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("created_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("disabled_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("preferences", sa.Text(), server_default="{}", nullable=False),
        sa.Column("one_time", sa.Boolean(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "name", name="users_by_name"),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seen_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("expires_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("flash", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("hash"),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index("sessions_by_expiry", ["expires_us"], unique=False)
        batch_op.create_index("sessions_by_user", ["user_id"], unique=False)

    op.create_table(
        "sign_in_addresses",
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("seen_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("locked_until_us", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("address"),
    )
    with op.batch_alter_table("sign_in_addresses", schema=None) as batch_op:
        batch_op.create_index("sign_in_addresses_by_age", ["seen_us"], unique=False)


def downgrade() -> None:
    op.drop_index("clusters_by_queue", "clusters")
    with op.batch_alter_table("sign_in_addresses", schema=None) as batch_op:
        batch_op.drop_index("sign_in_addresses_by_age")

    op.drop_table("sign_in_addresses")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index("sessions_by_user")
        batch_op.drop_index("sessions_by_expiry")

    op.drop_table("sessions")
    op.drop_table("users")
    with op.batch_alter_table("notes", schema=None) as batch_op:
        batch_op.drop_index("notes_by_cluster")

    op.drop_table("notes")
    with op.batch_alter_table("claims", schema=None) as batch_op:
        batch_op.drop_index("claims_by_person")

    op.drop_table("claims")
    with op.batch_alter_table("dry_runs", schema=None) as batch_op:
        batch_op.drop_index("dry_runs_by_tenant")

    op.drop_table("dry_runs")
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.drop_index("decisions_by_reversed")

    op.drop_table("complaint_counts")
    op.drop_table("allowed_reporters")
