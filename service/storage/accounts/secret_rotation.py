"""Reseal all stored secrets with the first key, so that an old key can be removed."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, select, update

from service.storage.accounts.secret_box import SealedWithAnotherKey, SecretBox
from service.storage.sql.schema import (
    erasures,
    identity_providers,
    imports,
    second_factors,
    sessions,
    sources,
    subscriptions,
    tenant_settings,
)

# Every column with sealed values, and its table's key. A test finds missing columns.
SEALED: tuple[tuple[Table, Column[str], tuple[str, ...]], ...] = (
    (sources, sources.c.id, ("secret", "previous_secret")),
    (subscriptions, subscriptions.c.id, ("secret", "previous_secret")),
    (tenant_settings, tenant_settings.c.tenant_id, ("pseudonym_key",)),
    (erasures, erasures.c.id, ("reporter_id",)),
    (identity_providers, identity_providers.c.tenant_id, ("client_secret",)),
    (second_factors, second_factors.c.user_id, ("secret",)),
    (sessions, sessions.c.hash, ("id_token_secret",)),
    (imports, imports.c.id, ("secret",)),
)


def rotate_all(connection: Connection, box: SecretBox) -> tuple[int, list[str]]:
    """Reseal every secret; returns (number resealed, locations of those that no key opens, left unchanged). Raises
    NoSecretKey.
    """
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
                # Only if unchanged: a secret replaced in the meantime is sealed with the first key anyway.
                connection.execute(update(table).where(key == row_key, column == sealed).values({name: resealed}))
                done += 1
    return done, unreadable
