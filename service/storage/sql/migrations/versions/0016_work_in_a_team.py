"""Queues by rule, tags, note templates, mentions and saved filters"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "queues",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("user_ids", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("queues_by_tenant", "queues", ["tenant_id", "place"])
    op.create_table(
        "case_placements",
        sa.Column("cluster_id", sa.String(40), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("moved", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("assigned", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("facts_of", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"]),
        sa.PrimaryKeyConstraint("cluster_id"),
    )
    op.create_index("case_placements_by_queue", "case_placements", ["tenant_id", "queue_id", "cluster_id"])
    op.create_index("case_placements_by_person", "case_placements", ["tenant_id", "user_id", "cluster_id"])
    op.create_table(
        "case_tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.String(40), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("at_us", big, nullable=False),
        sa.Column("removed_by", sa.String(128), nullable=True),
        sa.Column("removed_us", big, nullable=True),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("case_tags_by_cluster", "case_tags", ["cluster_id", "id"])
    op.create_index("case_tags_by_tenant", "case_tags", ["tenant_id", "removed_us", "tag", "cluster_id"])
    op.create_table(
        "note_templates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("note_templates_by_tenant", "note_templates", ["tenant_id"])
    op.create_table(
        "mentions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.String(40), nullable=False),
        sa.Column("note_id", sa.Integer(), nullable=True),
        sa.Column("decision_id", sa.String(40), nullable=True),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("at_us", big, nullable=False),
        sa.Column("read_us", big, nullable=True),
        sa.Column("mailed_us", big, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("mentions_by_person", "mentions", ["user_id", "read_us", "id"])
    op.create_index("mentions_by_tenant", "mentions", ["tenant_id", "mailed_us"])
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("saved_filters_by_tenant", "saved_filters", ["tenant_id", "user_id"])


def downgrade() -> None:
    for table in ("saved_filters", "mentions", "note_templates", "case_tags", "case_placements", "queues"):
        op.drop_table(table)
