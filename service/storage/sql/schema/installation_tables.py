"""What belongs to the installation as a whole: the Redis beside this database, and who uses it."""

from sqlalchemy import Column, Integer, String, Table

from service.storage.sql.schema.declarations import Big, metadata, not_personal

# One row (redis_store/redis_identity.py).
redis_identity = Table(
    "redis_identity",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", String(32), nullable=False, info=not_personal("a random token")),
    Column("previous", String(32), info=not_personal("a random token")),
    Column("since_us", Big, nullable=False),
)

redis_users = Table(
    "redis_users",
    metadata,
    Column("name", String(300), primary_key=True, info=not_personal("a host, a folder and an address")),
    Column("identity", String(32), nullable=False, info=not_personal("a random token")),
    Column("seen_us", Big, nullable=False),
)
