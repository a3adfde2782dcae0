"""Campaigns: clusters that continue one another. They rest on clusters' members; nothing here names a reporter."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("formed_us", Big, nullable=False),
    Column("changed_us", Big, nullable=False),  # its clusters came or went
    # of its clusters; of one that has ended, as they were last
    Column("first_us", Big, nullable=False),
    Column("last_us", Big, nullable=False),
    Column("cluster_count", Integer, nullable=False),
    Column("ended_us", Big),  # no two clusters belong to it any more
    Column("merged_into", String(40), info=not_personal("an id of ours")),  # where most of its clusters went
    Index("campaigns_by_last", "tenant_id", "last_us", "id"),
)

campaign_clusters = Table(
    "campaign_clusters",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Index("campaign_clusters_by_campaign", "tenant_id", "campaign_id"),
)

# Pairs of clusters that share more members than chance explains (service/moderation/campaign_links.py).
campaign_links = Table(
    "campaign_links",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),  # the earlier one
    Column("other_id", ForeignKey("clusters.id"), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("common", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("other_size", Integer, nullable=False),
    Column("expected", Float, nullable=False),
    Column("log_p", Float, nullable=False),
    Column("proven", Boolean, nullable=False),
    Index("campaign_links_by_tenant", "tenant_id", "log_p"),
    Index("campaign_links_by_other", "other_id"),
)

# What people said about pairs of clusters; of two statements about one pair the later one counts.
campaign_statements = Table(
    "campaign_statements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("cluster_id", ForeignKey("clusters.id"), nullable=False),
    Column("other_id", ForeignKey("clusters.id"), nullable=False),
    Column("relation", String(8), nullable=False, info=not_personal("together | apart")),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("note", Text, info=personal("case note")),
    Index("campaign_statements_by_tenant", "tenant_id", "id"),
)
