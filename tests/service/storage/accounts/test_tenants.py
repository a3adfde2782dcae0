"""Tenants and keys."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, select

from service.errors import Refused, UnknownTenant
from service.policy import DEFAULT_POLICY
from service.storage.accounts.policy_overrides import policy_of, set_overrides
from service.storage.accounts.tenants import (
    create_key,
    create_tenant,
    ensure_tenant,
    find_key,
    list_tenants,
    name_of_key,
    revoke_key,
    tenant_id,
)
from service.storage.complaints.archive_reader import analysis_state_of, ingest_state_of
from service.storage.sql.engine import write
from service.storage.sql.schema import api_keys


def test_a_tenant_begins_at_nothing_archived_and_nothing_analysed(engine: Engine) -> None:
    number = create_tenant(engine, "a-1", 5)
    assert tenant_id(engine, "a-1") == number
    assert list_tenants(engine) == {"a-1": number}
    with engine.connect() as connection:
        assert ingest_state_of(connection, number).archived_position == 0
        assert analysis_state_of(connection, number).cursor_seq == 0


@pytest.mark.parametrize("name", ["", "A", "a b", "a" * 41, "é", "a\n", "a_b", "a:b", "../x"])
def test_a_name_that_could_not_be_part_of_a_key_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(Refused, match="1 to 40 of a-z"):
        create_tenant(engine, name, 0)
    with pytest.raises(Refused, match="1 to 40 of a-z"):
        ensure_tenant(engine, name, 0)


def test_a_taken_name_is_refused_and_ensuring_it_finds_it(engine: Engine) -> None:
    number = create_tenant(engine, "paper", 0)
    with pytest.raises(Refused, match="already exists"):
        create_tenant(engine, "paper", 0)
    assert ensure_tenant(engine, "paper", 0) == number


def test_several_that_ensure_a_tenant_at_once_make_one(engine: Engine) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(lambda _: ensure_tenant(engine, "paper", 0), range(6)))) == 1


def test_an_unknown_tenant_is_named_with_the_way_out(engine: Engine) -> None:
    with pytest.raises(UnknownTenant, match="tenants create paper"):
        tenant_id(engine, "paper")
    with pytest.raises(UnknownTenant):
        create_key(engine, "paper", ["read"], "", 0)


def test_a_key_is_found_by_itself_alone_and_is_stored_as_a_hash(engine: Engine) -> None:
    number = create_tenant(engine, "paper", 0)
    key = create_key(engine, "paper", ["ingest", "read", "read"], "front page", 7)
    record = find_key(engine, key)
    assert record is not None
    assert (record.tenant_id, record.tenant, record.scopes) == (number, "paper", {"ingest", "read"})
    assert [find_key(engine, wrong) for wrong in ("", key[:-1], key + "x", key.upper(), "bw_", "\ud800", "é")] == [
        None
    ] * 7
    with engine.connect() as connection:
        row = connection.execute(select(api_keys)).one()
    assert key not in str(row) and len(row.hash) == 64
    assert key.startswith("bw_") and len(key) > 40


def test_a_revoked_key_is_no_key(engine: Engine) -> None:
    create_tenant(engine, "paper", 0)
    key = create_key(engine, "paper", ["read"], "", 0)
    record = find_key(engine, key)
    assert record is not None and revoke_key(engine, record.id, 9)
    assert find_key(engine, key) is None
    assert not revoke_key(engine, record.id, 10)


@pytest.mark.parametrize("scopes", [[], ["write"], ["read", "root"]])
def test_scopes_that_there_are_not_are_refused(engine: Engine, scopes: list[str]) -> None:
    create_tenant(engine, "paper", 0)
    with pytest.raises(Refused, match="ingest, read, moderate, forget, admin"):
        create_key(engine, "paper", scopes, "", 0)


def test_overrides_are_versions_and_the_newest_holds(engine: Engine) -> None:
    number = create_tenant(engine, "paper", 0)
    with write(engine) as connection:
        assert policy_of(connection, number) == DEFAULT_POLICY
        set_overrides(connection, number, {"flags_per_day": 3, "size_strata": (5, 10)}, by="ann", now_us=1)
        changed = set_overrides(connection, number, {"flags_per_day": 4, "size_strata": (5, 10)}, by="ann", now_us=2)
        assert policy_of(connection, number) == changed
        assert (changed.flags_per_day, changed.size_strata) == (4, (5, 10))
        assert changed.version.startswith(DEFAULT_POLICY.version + "+")
        with pytest.raises(ValueError, match="flags_per_day = -1"):
            set_overrides(connection, number, {"flags_per_day": -1}, by="ann", now_us=3)
        set_overrides(connection, number, {}, by="ann", now_us=4)
        assert policy_of(connection, number) == DEFAULT_POLICY


def test_a_key_without_a_name_is_shown_by_its_number(engine: Engine) -> None:
    create_tenant(engine, "paper", 0)
    named, nameless = (find_key(engine, create_key(engine, "paper", ["moderate"], name, 0)) for name in ("desk", ""))
    assert named is not None and nameless is not None
    with engine.connect() as connection:
        assert name_of_key(connection, named.id) == "desk"
        assert name_of_key(connection, nameless.id) == f"key:{nameless.id}"
