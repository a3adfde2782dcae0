"""The registry of trusted flaggers as it is kept: entries follow each other, end, are suspended, and stay."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from service.errors import NotFound, Refused
from service.moderation.trusted_flaggers import FlaggerTerm
from service.storage.accounts import flagger_registry as registry
from service.storage.accounts.tenants import create_tenant
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of


def add(connection: Connection, tenant: int, reporter: str = "r1", since: int = 100, **more: Any) -> int:
    words = {name: more.pop(name) for name in ("entity", "coordinator", "note") if name in more}
    return registry.add_flagger(
        connection,
        tenant,
        reporter,
        **{"entity": "Hotline", "coordinator": "Coimisiún na Meán", "note": None, **words},
        term=FlaggerTerm(since, **more),
        by="ann",
        now_us=1_000,
    )


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "paper", 0)


def test_entries_of_one_reporter_follow_each_other_and_never_overlap(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        first = add(connection, tenant, until_us=200)
        with pytest.raises(Refused, match=r"has an entry from 1970-01-01 00:00:00 UTC until .* already: end that one"):
            add(connection, tenant, since=150)
        second = add(connection, tenant, since=200)
        with pytest.raises(Refused, match="end that one first"):
            add(connection, tenant, since=10**15)
        add(connection, tenant, "r2", since=150)
        assert [one.id for one in registry.list_entries(connection, tenant, "r1")] == [second, first]
        with pytest.raises(Refused, match="has another entry"):
            registry.end_flagger(connection, tenant, first, until_us=300, by="ann", now_us=150)
        registry.remove_flagger(connection, tenant, second, by="ann", now_us=1_001)
        registry.end_flagger(connection, tenant, first, until_us=300, by="ann", now_us=150)
        flaggers = registry.flaggers_of(connection, tenant)
    assert list(flaggers.terms[key_of("r1")]) == [FlaggerTerm(100, 300)]
    assert not flaggers.knows(key_of("r3"))


def test_a_suspension_that_is_over_stays_in_the_history(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        entry = add(connection, tenant, area=("hate", "terror"))
        with pytest.raises(Refused, match="not suspended"):
            registry.reinstate_flagger(connection, tenant, entry, from_us=500, by="bob", now_us=600)
        registry.suspend_flagger(connection, tenant, entry, from_us=300, by="bob", now_us=600)
        with pytest.raises(Refused, match="already"):
            registry.suspend_flagger(connection, tenant, entry, from_us=300, by="bob", now_us=600)
        with pytest.raises(Refused, match="only end after that"):
            registry.reinstate_flagger(connection, tenant, entry, from_us=300, by="bob", now_us=600)
        registry.reinstate_flagger(connection, tenant, entry, from_us=500, by="bob", now_us=600)
        late, early = registry.list_entries(connection, tenant)
        (terms,) = registry.flaggers_of(connection, tenant).terms.values()
    assert (early.term, early.status(600)) == (FlaggerTerm(100, 300, 300, ("hate", "terror")), "ended")
    assert (late.term, late.status(600)) == (FlaggerTerm(500, None, None, ("hate", "terror")), "in force")
    assert [any(term.is_in_force(at) for term in terms) for at in (299, 400, 500)] == [True, False, True]


def test_an_entry_ends_also_while_it_is_suspended_and_only_once(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        entry = add(connection, tenant)
        registry.suspend_flagger(connection, tenant, entry, from_us=300, by="bob", now_us=600)
        registry.end_flagger(connection, tenant, entry, until_us=300, by="bob", now_us=600)
        for change in (
            lambda: registry.end_flagger(connection, tenant, entry, until_us=400, by="bob", now_us=600),
            lambda: registry.suspend_flagger(connection, tenant, entry, from_us=200, by="bob", now_us=600),
        ):
            with pytest.raises(Refused, match="this entry is ended: add another one"):
                change()
        registry.remove_flagger(connection, tenant, entry, by="bob", now_us=600)
        with pytest.raises(Refused, match="removed already"):
            registry.remove_flagger(connection, tenant, entry, by="bob", now_us=600)
        assert registry.flaggers_of(connection, tenant).terms == {key_of("r1"): []}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"reporter": "a\nb"}, "is not a reporter's id"),
        ({"entity": "  "}, "name of the entity is missing"),
        ({"coordinator": ""}, "coordinator that awarded the status is missing"),
        ({"entity": "x" * 301}, "has 301 characters, at most 300"),
        ({"note": "a\0"}, "NUL"),
        ({"area": ("x" * 201,)}, "a word of the area has 201"),
        ({"area": tuple(f"w{n}" for n in range(101))}, "101 words"),
        ({"until_us": 100}, "can only end after that"),
        ({"suspended_us": 99}, "can only be suspended in that time"),
    ],
)
def test_what_cannot_be_an_entry_is_refused(engine: Engine, tenant: int, more: dict[str, Any], message: str) -> None:
    with write(engine) as connection, pytest.raises(Refused, match=message):
        add(connection, tenant, **more)


def test_the_registry_is_each_tenants_own_schedules_detection_and_is_in_the_audit_log(
    engine: Engine, tenant: int
) -> None:
    other = create_tenant(engine, "other", 0)
    with write(engine) as connection:
        entry = add(connection, tenant)
        assert [work for work, _ in timers.due(connection, 2**62)] == ["detect"]
        assert registry.list_entries(connection, other) == []
        assert not registry.flaggers_of(connection, other).terms
        with pytest.raises(NotFound):
            registry.end_flagger(connection, other, entry, until_us=300, by="bob", now_us=600)
        registry.suspend_flagger(connection, tenant, entry, from_us=300, by="bob", now_us=600)
        trail = schema.audit_trail.c
        found = connection.execute(sa.select(trail.action, trail.actor, trail.subject).order_by(trail.id)).all()
    assert [tuple(row) for row in found if row.actor in ("ann", "bob")] == [
        ("trusted flagger added", "ann", "reporter:r1"),
        ("trusted flagger suspended", "bob", "reporter:r1"),
    ]
