"""All stored secrets, sealed again with the first key: so that an old key can be taken out."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, select, update

from service.storage.accounts.secret_box import SealedWithAnotherKey, SecretBox
from service.storage.sql.schema import erasures, sources, subscriptions, tenant_settings

# Every column that holds something sealed, with its table's key. A test finds columns that were forgotten.
SEALED: tuple[tuple[Table, Column[str], tuple[str, ...]], ...] = (
    (sources, sources.c.id, ("secret", "previous_secret")),
    (subscriptions, subscriptions.c.id, ("secret", "previous_secret")),
    (tenant_settings, tenant_settings.c.tenant_id, ("pseudonym_key",)),
    (erasures, erasures.c.id, ("reporter_id",)),
)


def rotate_all(connection: Connection, box: SecretBox) -> tuple[int, list[str]]:
    """(secrets sealed again, places of those that no key opens, which stay as they are). Raises NoSecretKey."""
    box.check()
    done, unreadable = 0, []
    for table, key, columns in SEALED:
        for name in columns:
            column = table.c[name]
            for row_key, sealed in connection.execute(
                select(key, column).where(column.is_not(None)).order_by(key)
            ).all():
                try:
                    resealed = box.rotate(sealed)
                except SealedWithAnotherKey:
                    unreadable.append(f"{table.name}.{name} of {row_key}")
                    continue
                # Only what was read: a secret that was replaced meanwhile is sealed with the first key anyway.
                connection.execute(update(table).where(key == row_key, column == sealed).values({name: resealed}))
                done += 1
    return done, unreadable
