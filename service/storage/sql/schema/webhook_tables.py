"""The ways in and out: sources, subscriptions, events and their deliveries."""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

# Inbound connections. `id` is the unguessable end of the path that a platform posts to; of a poller it is only a name.
sources = Table(
    "sources",
    metadata,
    Column("id", String(64), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("platform", String(16), nullable=False, info=not_personal("a word from a fixed set")),
    Column("url", Text, info=not_personal("a platform's address")),
    Column("secret", Text, info=not_personal("a sealed secret")),
    Column("previous_secret", Text, info=not_personal("a sealed secret")),
    Column("previous_until_us", Big),
    Column("mapping", Text, info=not_personal("JSON, of the generic platform: names of fields")),
    Column("namespace", Text, info=not_personal("a word that an administrator chose")),
    Column("created_us", Big, nullable=False),
    Column("removed_us", Big),
    # of a poller
    Column("cursor", Text, info=personal("document")),
    Column("next_poll_us", Big),
    Column("polled_us", Big),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, info=personal("prose")),
    Index("sources_by_tenant", "tenant_id", "id"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("url", Text, nullable=False, info=not_personal("a receiver's address")),
    Column("events", Text, nullable=False, info=not_personal("JSON list of event types; empty: all")),
    Column("description", String(256), nullable=False, server_default="", info=personal("prose")),
    Column("secret", Text, nullable=False, info=not_personal("a sealed secret")),
    Column("previous_secret", Text, info=not_personal("a sealed secret")),
    Column("previous_until_us", Big),
    Column("created_us", Big, nullable=False),
    Column("disabled_us", Big),
    Column("disabled_because", Text, info=not_personal("one of our sentences")),
    # attempts in a row without an answer, or answered with a request to pause
    Column("silences", Integer, nullable=False, server_default="0"),
    Column("rest_until_us", Big),  # end of the pause, or of the quiet hours
    # brigadewatch: signed events, one each. The others are chat services: messages for people, and `secret` seals their
    # address, of which `url` shows no more than may be shown (service/notifications/chat_formats.py).
    Column(
        "format",
        String(16),
        nullable=False,
        server_default="brigadewatch",
        info=not_personal("brigadewatch | slack | mattermost | discord | matrix"),
    ),
    Column("quiet_from", Integer),  # minutes of the day
    Column("quiet_until", Integer),
    Column("time_zone", String(64), nullable=False, server_default="UTC", info=not_personal("a time zone's name")),
    Index("subscriptions_by_tenant", "tenant_id", "id"),
)

# The outbox: what happened, written in the transaction that made it so. The id is derived from the content, so that
# an event is stored once.
events = Table(
    "events",
    metadata,
    Column("id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("type", String(40), nullable=False, info=not_personal("a word from a fixed set")),
    Column("at_us", Big, nullable=False),
    Column("data", Text, nullable=False, info=personal("document")),
    Index("events_by_tenant", "tenant_id", "at_us"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("subscription_id", String(40), nullable=False, info=not_personal("an id of ours")),
    Column("event_id", String(40), nullable=False, info=not_personal("an id of ours")),
    Column("state", String(12), nullable=False, info=not_personal("pending | delivered | failed | cancelled")),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_us", Big),
    Column("created_us", Big, nullable=False),
    Column("finished_us", Big),
    Index("deliveries_due", "tenant_id", "state", "next_us"),
    Index("deliveries_by_subscription", "subscription_id", "created_us", "id"),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("delivery_id", String(40), nullable=False, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("at_us", Big, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("status", Integer),
    Column("error", Text, info=personal("prose")),
    Index("attempts_by_delivery", "delivery_id", "id"),
)
