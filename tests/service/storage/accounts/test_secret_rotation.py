"""Changing the key of stored secrets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, insert, select

from service.settings import Settings
from service.storage.accounts.secret_box import SealedWithAnotherKey, SecretBox
from service.storage.accounts.secret_rotation import SEALED, rotate_all
from service.storage.accounts.tenants import create_tenant
from service.storage.sql.engine import write
from service.storage.sql.schema import erasures, sources, subscriptions, tenant_settings
from service.storage.sql.schema.declarations import metadata

OLD, NEW = "01" * 32, "02" * 32


def box(settings: Settings, *keys: str) -> SecretBox:
    return SecretBox(replace(settings, secret_keys=keys))


def test_every_column_that_holds_something_sealed_is_known() -> None:
    known = {f"{table.name}.{name}" for table, _, names in SEALED for name in names}
    suspects = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if "secret" in column.name or column.name == "pseudonym_key"
    }
    assert known == suspects | {"erasures.reporter_id"}


def test_all_of_it_is_opened_by_the_new_key_alone_afterwards(engine: Engine, settings: Settings) -> None:
    tenant, old = create_tenant(engine, "paper", 0), box(settings, OLD)
    with write(engine) as connection:
        connection.execute(
            insert(sources).values(
                id="src_1",
                tenant_id=tenant,
                platform="discourse",
                secret=old.seal("a"),
                previous_secret=old.seal("b"),
                created_us=1,
            )
        )
        connection.execute(insert(sources).values(id="src_2", tenant_id=tenant, platform="discourse", created_us=1))
        connection.execute(
            insert(subscriptions).values(
                id="sub_1", tenant_id=tenant, url="u", events="[]", secret=old.seal("c"), created_us=1
            )
        )
        connection.execute(insert(tenant_settings).values(tenant_id=tenant, pseudonym_key=old.seal("d")))
        connection.execute(
            insert(erasures).values(
                id="e",
                tenant_id=tenant,
                reporter_hash="h",
                reporter_id=old.seal("e"),
                token="t",
                state="asked",
                asked_us=1,
            )
        )
        assert rotate_all(connection, box(settings, NEW, OLD)) == (5, [])
    new, found = box(settings, NEW), []
    with engine.connect() as connection:
        for table, key, names in SEALED:
            for row in connection.execute(select(table).order_by(key)).mappings():
                for sealed in (row[name] for name in names if row[name] is not None):
                    found.append(new.open(sealed))
                    with pytest.raises(SealedWithAnotherKey):
                        old.open(sealed)
    assert sorted(found) == ["a", "b", "c", "d", "e"]


def test_what_no_key_opens_is_named_and_left_and_the_rest_is_done(engine: Engine, settings: Settings) -> None:
    tenant, lost = create_tenant(engine, "paper", 0), box(settings, "03" * 32).seal("x")
    with write(engine) as connection:
        for name, sealed in (("src_1", lost), ("src_2", box(settings, OLD).seal("y"))):
            connection.execute(
                insert(sources).values(id=name, tenant_id=tenant, platform="discourse", secret=sealed, created_us=1)
            )
        assert rotate_all(connection, box(settings, NEW, OLD)) == (1, ["sources.secret of src_1"])
        assert connection.scalar(select(sources.c.secret).where(sources.c.id == "src_1")) == lost
