"""Messages to people: e-mail, and which case was reported to whom."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from service.storage.sql.schema.declarations import Big, metadata, not_personal, personal

# When a case was last reported to a subscription of a chat format, or to a person by e-mail.
reported_cases = Table(
    "reported_cases",
    metadata,
    Column("receiver", String(40), primary_key=True, info=not_personal("an id of ours: a subscription's or a user's")),
    Column("case_id", String(40), primary_key=True, info=not_personal("an id of ours")),
    Column("tenant_id", Integer, nullable=False),
    Column("at_us", Big, nullable=False),
)

# Who gets e-mail, when and where (storage/accounts/mail_preferences.py). No row: nothing.
mail_preferences = Table(
    "mail_preferences",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("address", String(254), nullable=False, info=personal("user")),
    Column("cadence", String(16), nullable=False, server_default="off", info=not_personal("a word from a fixed set")),
    Column("minute", Integer, nullable=False, server_default="480"),  # of the day, of daily messages
    Column("time_zone", String(64), nullable=False, server_default="UTC", info=not_personal("a time zone's name")),
    Column("quiet_from", Integer),  # minutes of the day
    Column("quiet_until", Integer),
    Column("confirmed_us", Big),  # the owner of the address said that it is theirs
    Column("test_us", Big),  # a confirmation or a test message was requested
    Column("reported_us", Big, nullable=False),  # events up to then were reported, or did not have to be
    Column("next_us", Big),  # not before: the next daily message, the next attempt, or the end of a claim
    Column("sent_us", Big),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("last_error", Text, info=personal("user")),  # what the mail server said; may contain the address
    Index("mail_preferences_by_tenant", "tenant_id"),
)
