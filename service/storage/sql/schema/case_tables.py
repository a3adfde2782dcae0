"""Clusters and what moderators do with them: decisions, claims, notes, warnings, restorations."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from service.fields import ID_CHARACTERS
from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

clusters = Table(
    "clusters",
    metadata,
    Column("id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("kind", String(16), nullable=False, info=not_personal("a word from a fixed set")),
    Column("disposition", String(16), nullable=False, info=not_personal("a word from a fixed set")),
    Column("status", String(16), nullable=False, info=not_personal("a word from a fixed set")),
    Column("snooze_until_us", Big),
    Column("score", Float, nullable=False),
    Column("probability", Float, nullable=False),
    Column("unfounded_probability", Float, nullable=False),
    Column("settle_with", Text, nullable=False, server_default="[]", info=not_personal("ids of targets")),
    Column("first_us", Big, nullable=False),
    Column("last_us", Big, nullable=False),
    Column("reporter_count", Integer, nullable=False),
    Column("target_count", Integer, nullable=False),
    Column("summary", Text, nullable=False, info=personal("prose")),
    Column("evidence", Text, nullable=False, info=personal("document")),
    Column("policy_version", String(32), nullable=False, info=not_personal("a version")),
    Column("version", Integer, nullable=False),
    Column("merged_into", String(40), info=not_personal("an id of ours")),
    Column("split_from", String(40), info=not_personal("an id of ours")),
    Column("earlier", String(40), info=not_personal("an id of ours")),
    # standing decision
    Column("verdict", String(20), info=not_personal("coordinated | not_coordinated | null")),
    # sizes when decided: growth since reopens
    Column("decided_reporters", Integer),
    Column("decided_targets", Integer),
    Column("found_us", Big, nullable=False),  # event time, the quota's day
    # span of its complaints that retention deleted; null: none
    Column("trimmed_first_us", Big),
    Column("trimmed_last_us", Big),
    Column("revoked_us", Big),
    Column("revoked_because", Text, info=not_personal("one of our sentences")),
    Column("changed_by", String(128), nullable=False, server_default="detector", info=personal("user")),
    Index("clusters_by_last", "tenant_id", "last_us", "id"),
    Index("clusters_by_survivor", "tenant_id", "merged_into"),
    # All that the console's queue counts, filters and sorts by, so that it never reads the wide rows of cases that it
    # does not show.
    Index(
        "clusters_by_queue",
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
    ),
)

cluster_members = Table(
    "cluster_members",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("reporter_key", Big, primary_key=True, autoincrement=False, info=personal("reporter key")),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_id", String(ID_CHARACTERS), nullable=False, info=personal("reporter id")),
    Column("excluded", Boolean, nullable=False),
    Index("members_by_reporter", "tenant_id", "reporter_key"),
)

cluster_targets = Table(
    "cluster_targets",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("target_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("target_id", String(ID_CHARACTERS), nullable=False, info=not_personal("the platform's id of a target")),
    Column("author_key", Big, nullable=False, server_default="0", info=personal("author key")),
    Column("author_id", String(ID_CHARACTERS), info=personal("author id")),
    Index("cluster_targets_by_target", "tenant_id", "target_key"),
    Index("cluster_targets_by_author", "tenant_id", "author_id"),
)

# The members' complaints on the cluster's targets: what the independent count discounts and graphs draw.
cluster_complaints = Table(
    "cluster_complaints",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("row_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_key", Big, nullable=False, info=personal("reporter key")),
    Column("target_key", Big, nullable=False),
    Column("occurred_us", Big, nullable=False),
    Column("exempt", Boolean, nullable=False),  # trusted reporter or illegal-content notice: never discounted
    Column("gone", Boolean, nullable=False, server_default="0"),  # withdrawn since
    Column("verdict", String(20), info=not_personal("the decision that was made about this complaint")),
    # part of an act in the cluster: discounted with it, and nothing else
    Column("listed", Boolean, nullable=False, server_default="0"),
    Index("cluster_complaints_by_row", "row_key"),
    Index(
        "cluster_complaints_by_listed_target",
        "tenant_id",
        "target_key",
        sqlite_where=text("listed"),
        postgresql_where=text("listed"),
    ),
)

decisions = Table(
    "decisions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String(40), nullable=False, unique=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("cluster_id", ForeignKey("clusters.id"), nullable=False),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("verdict", String(20), nullable=False, info=not_personal("a word from a fixed set")),
    Column("reason_code", String(20), nullable=False, info=not_personal("a word from a fixed set")),
    Column("note", Text, info=personal("case note")),
    Column("excluded_reporters", Text, nullable=False, info=personal("reporter ids")),
    Column("snooze_until_us", Big),
    Column("reverses", String(40), info=not_personal("an id of ours")),
    Column("version", Integer, nullable=False),
    Index("decisions_by_cluster", "cluster_id", "seq"),
    Index("decisions_by_tenant", "tenant_id", "seq"),
    Index("decisions_by_reversed", "tenant_id", "reverses"),
)

# Targets that were removed while a cluster inflated their count.
restorations = Table(
    "restorations",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("target_key", Big, primary_key=True, autoincrement=False),
    Column("target_id", String(ID_CHARACTERS), nullable=False, info=not_personal("the platform's id of a target")),
    Column("state", String(12), nullable=False, info=not_personal("open | restored | stands")),
    Column("harm", Float, nullable=False),
    Column("complaints", Integer, nullable=False),
    Column("independent", Float, nullable=False),
    Column("cluster_ids", Text, nullable=False, info=not_personal("ids of ours")),
    # the outcome that removed it
    Column("threshold", Integer, nullable=False),
    Column("removal_id", String(ID_CHARACTERS), nullable=False, info=not_personal("the platform's id of an item")),
    Column("removed_us", Big, nullable=False),
    Column("removed_by", String(12), nullable=False, info=not_personal("a word from a fixed set")),
    Column("opened_us", Big, nullable=False),
    Column("changed_us", Big, nullable=False),
    Column("opened_seq", Big, nullable=False),  # outcomes received later may know of the cluster
    Index("restorations_by_harm", "tenant_id", "state", "harm"),
)

# Reporters for whom a warning was suggested, so that it is suggested once.
reporter_warnings = Table(
    "reporter_warnings",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("reporter_key", Big, primary_key=True, autoincrement=False, info=personal("reporter key")),
    Column("reporter_id", String(ID_CHARACTERS), nullable=False, info=personal("reporter id")),
    Column("at_us", Big, nullable=False),
    Column("detail", Text, nullable=False, info=personal("document")),
)

# Notices of illegal content that a person found manifestly unfounded (DSA Art. 23), by their row in the archive.
misuse_marks = Table(
    "misuse_marks",
    metadata,
    Column("row_key", Big, primary_key=True, autoincrement=False),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_key", Big, nullable=False, info=personal("reporter key")),
    Column("reporter_id", String(ID_CHARACTERS), nullable=False, info=personal("reporter id")),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Index("misuse_marks_by_reporter", "tenant_id", "reporter_key"),
)

# What a platform did about them, as a person recorded it: warned, suspended until, restored.
misuse_steps = Table(
    "misuse_steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("reporter_key", Big, nullable=False, info=personal("reporter key")),
    Column("reporter_id", String(ID_CHARACTERS), nullable=False, info=personal("reporter id")),
    Column("step", String(16), nullable=False, info=not_personal("one of service.moderation.misuse.Step")),
    Column("at_us", Big, nullable=False),
    Column("until_us", Big),
    Column("manifest", Integer, nullable=False),
    Column("notices", Integer, nullable=False),
    Column("days", Integer, nullable=False),
    Column("gravity", Text, nullable=False, info=personal("prose")),
    Column("intention", Text, nullable=False, info=personal("prose")),
    Column("by", String(128), nullable=False, info=personal("user")),
    Index("misuse_steps_by_reporter", "tenant_id", "reporter_key", "id"),
    Index("misuse_steps_by_time", "tenant_id", "at_us"),
)

# Who works on a case. Detection neither reads nor writes it.
claims = Table(
    "claims",
    metadata,
    Column("cluster_id", ForeignKey("clusters.id"), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("at_us", Big, nullable=False),
    Index("claims_by_person", "tenant_id", "by"),
)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("cluster_id", ForeignKey("clusters.id"), nullable=False),
    Column("at_us", Big, nullable=False),
    Column("by", String(128), nullable=False, info=personal("user")),
    Column("text", Text, nullable=False, info=personal("case note")),
    Index("notes_by_cluster", "cluster_id", "id"),
)
