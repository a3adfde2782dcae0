"""Campaigns over months: clusters that continue one another, the links between them, and what people said"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("formed_us", big, nullable=False),
        sa.Column("changed_us", big, nullable=False),
        sa.Column("first_us", big, nullable=False),
        sa.Column("last_us", big, nullable=False),
        sa.Column("cluster_count", sa.Integer(), nullable=False),
        sa.Column("ended_us", big, nullable=True),
        sa.Column("merged_into", sa.String(40), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("campaigns") as table:
        table.create_index("campaigns_by_last", ["tenant_id", "last_us", "id"])
    op.create_table(
        "campaign_clusters",
        sa.Column("cluster_id", sa.String(40), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"]),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"]),
        sa.PrimaryKeyConstraint("cluster_id"),
    )
    with op.batch_alter_table("campaign_clusters") as table:
        table.create_index("campaign_clusters_by_campaign", ["tenant_id", "campaign_id"])
    op.create_table(
        "campaign_links",
        sa.Column("cluster_id", sa.String(40), nullable=False),
        sa.Column("other_id", sa.String(40), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("common", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("other_size", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False),
        sa.Column("log_p", sa.Float(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"]),
        sa.ForeignKeyConstraint(["other_id"], ["clusters.id"]),
        sa.PrimaryKeyConstraint("cluster_id", "other_id"),
    )
    with op.batch_alter_table("campaign_links") as table:
        table.create_index("campaign_links_by_tenant", ["tenant_id", "log_p"])
        table.create_index("campaign_links_by_other", ["other_id"])
    op.create_table(
        "campaign_statements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.String(40), nullable=False),
        sa.Column("other_id", sa.String(40), nullable=False),
        sa.Column("relation", sa.String(8), nullable=False),
        sa.Column("at_us", big, nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"]),
        sa.ForeignKeyConstraint(["other_id"], ["clusters.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("campaign_statements") as table:
        table.create_index("campaign_statements_by_tenant", ["tenant_id", "id"])


def downgrade() -> None:
    for table in ("campaign_statements", "campaign_links", "campaign_clusters", "campaigns"):
        op.drop_table(table)
