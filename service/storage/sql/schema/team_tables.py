"""Working in a team: queues by rule, tags, note templates, mentions, saved filters. Detection reads and writes none."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

# A tenant's queues, in the order in which their rules are tried (storage/cases/queues.py).
queues = Table(
    "queues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("name", Text, nullable=False, info=personal("prose")),
    Column("conditions", Text, nullable=False, info=personal("document")),
    Column("user_ids", Text, nullable=False, info=not_personal("ids of ours, as JSON")),
    Index("queues_by_tenant", "tenant_id", "place"),
)

# Which queue a case is in and who it is assigned to, with what the rules need of its complaints.
case_placements = Table(
    "case_placements",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("queue_id", Integer),
    Column("user_id", Integer),
    # a person chose, which outweighs the rules
    Column("moved", Boolean, nullable=False, server_default="0"),
    Column("assigned", Boolean, nullable=False, server_default="0"),
    Column("facts", Text, nullable=False, info=not_personal("counts of contexts, languages and reasons, as JSON")),
    Column("facts_of", String(64), nullable=False, info=not_personal("figures of the case when they were counted")),
    Index("case_placements_by_queue", "tenant_id", "queue_id", "cluster_id"),
    Index("case_placements_by_person", "tenant_id", "user_id", "cluster_id"),
)

# A case's tags, and those that it had: the history shows both.
case_tags = Table(
    "case_tags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("cluster_id", ForeignKey("clusters.id"), nullable=False),
    Column("tag", Text, nullable=False, info=personal("case note")),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("at_us", Big, nullable=False),
    Column("removed_by", String(128), info=personal("user")),
    Column("removed_us", Big),
    Index("case_tags_by_cluster", "cluster_id", "id"),
    Index("case_tags_by_tenant", "tenant_id", "removed_us", "tag", "cluster_id"),
)

note_templates = Table(
    "note_templates",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("name", Text, nullable=False, info=personal("prose")),
    Column("text", Text, nullable=False, info=personal("prose")),
    Index("note_templates_by_tenant", "tenant_id"),
)

# Who was named with @ in a note or a decision's note. The words stay there.
mentions = Table(
    "mentions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("cluster_id", ForeignKey("clusters.id"), nullable=False),
    Column("note_id", Integer),
    Column("decision_id", String(40), info=not_personal("an id of ours")),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("at_us", Big, nullable=False),
    Column("read_us", Big),
    Column("mailed_us", Big),
    Index("mentions_by_person", "user_id", "read_us", "id"),
    Index("mentions_by_tenant", "tenant_id", "mailed_us"),
)

# Views of the queue that somebody saved under a name.
saved_filters = Table(
    "saved_filters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("name", Text, nullable=False, info=personal("prose")),
    Column("parameters", Text, nullable=False, info=personal("document")),
    Index("saved_filters_by_tenant", "tenant_id", "user_id"),
)
