"""Any order and any batching of the same items leave the same archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, pairwise
from typing import Any

import pytest
from archive_lines import archive, batches, complaint, feed_of, outcome, standing_by_feed, states, totals, withdrawal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_reader import contents_of, ingest_state_of
from service.storage.redis_store.leases import take_epoch
from service.storage.sql.engine import migrate, open_database
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import MACHINE, REPEAT, STANDING, WITHDRAWN, ingest_state

numbers = count()


@pytest.fixture(scope="module")
def shared(make_database: Callable[..., str]) -> Iterator[Engine]:
    """One database for all examples, a tenant each."""
    engine = open_database(make_database())
    migrate(engine)
    yield engine
    engine.dispose()


complaint_facts = st.tuples(st.integers(0, 5), st.sampled_from("xyz"), st.sampled_from("tu"))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, tuple[int, str, str, bool]], set[str], dict[str, str | None]]:
    """Complaints by id, withdrawn ids (known or not), outcomes with the complaint that they name."""
    facts = draw(st.lists(complaint_facts, min_size=1, max_size=9))
    machines = draw(st.sets(st.integers(0, 8), max_size=2))
    made = {
        f"c{number}": (time, reporter, target, number in machines)
        for number, (time, reporter, target) in enumerate(facts)
    }
    withdrawn = draw(st.sets(st.sampled_from([*made, "never"]), max_size=4))
    named = draw(st.lists(st.sampled_from([None, *made, "absent"]), max_size=3))
    return made, withdrawn, {f"o{number}": name for number, name in enumerate(named)}


def expected_states(made: dict[str, tuple[int, str, str, bool]], withdrawn: set[str]) -> dict[str, int]:
    """The rule in its plainest form, over all items at once."""
    found: dict[str, int] = {}
    for identity, (time, reporter, target, machine) in made.items():
        rivals = [
            (other_time, other)
            for other, (other_time, *pair, other_machine) in made.items()
            if pair == [reporter, target] and not other_machine and other not in withdrawn
        ]
        if identity in withdrawn:
            found[identity] = WITHDRAWN
        elif machine:
            found[identity] = MACHINE
        else:
            found[identity] = STANDING if min(rivals) == (time, identity) else REPEAT
    return found


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds(), data=st.data())
def test_any_order_and_any_batching_leave_the_same_archive(shared: Engine, world: Any, data: st.DataObject) -> None:
    made, withdrawn, named = world
    lines = [
        complaint(identity, time, reporter, target, **({"machine": True} if machine else {}))
        for identity, (time, reporter, target, machine) in made.items()
    ]
    lines += [withdrawal(identity) for identity in sorted(withdrawn)]
    lines += [outcome(identity, **({"complaint_id": name} if name else {})) for identity, name in named.items()]
    repeats = data.draw(st.lists(st.sampled_from(lines), max_size=4))
    order = data.draw(st.permutations([*lines, *repeats]))
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=6))
    entries = batches(order, sizes)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(entries)), max_size=3)) | {0, len(entries)})

    tenant = create_tenant(shared, f"example-{next(numbers)}", 0)
    epoch = take_epoch(shared, ingest_state, tenant)
    for start, end in pairwise(cuts):
        archive(shared, tenant, epoch, entries[start:end])

    expected = expected_states(made, withdrawn)
    assert states(shared, tenant) == expected
    standing = {identity for identity, state in expected.items() if state == STANDING}
    by_target: dict[int, int] = {}
    for identity in standing:
        by_target[key_of(made[identity][2])] = by_target.get(key_of(made[identity][2]), 0) + 1
    assert totals(shared, tenant) == by_target

    rows = feed_of(shared, tenant)
    with shared.connect() as connection:
        state = ingest_state_of(connection, tenant)
        held = {
            seq: body["id"] for seq, body in contents_of(connection, tenant, sorted(standing_by_feed(rows))).items()
        }
        everything = {
            body["id"]: seq for seq, body in contents_of(connection, tenant, range(1, state.last_seq + 1)).items()
        }
    assert set(held.values()) == standing
    assert (state.archived, state.duplicates, state.conflicting, state.late) == (len(order), len(repeats), 0, 0)
    assert state.archived_position == len(order)
    assert sum(row.items for row in rows) == len(order)
    last_fed = {o.id: o.complaint for row in rows for o in row.batch.outcomes}
    assert last_fed == {identity: 0 if name is None else everything.get(name, -1) for identity, name in named.items()}
    last_totals = {int(target): int(total) for row in rows for target, total in row.batch.totals}
    assert {target: total for target, total in last_totals.items() if total} == by_target
