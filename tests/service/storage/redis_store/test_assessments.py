"""Totals, memberships and progress in Redis: written by workers, read in one round trip; on fakeredis and a real
server.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model import microseconds, moment
from service.moderation.assessment import ClusterPart, ClusterShare, TargetSummary, summarise
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.assessments import (
    Standings,
    forget_trusted_notices,
    pack,
    read_targets,
    targets_with_trusted_notices,
    unpack,
    write_memberships,
    write_progress,
    write_totals,
    write_trusted_notices,
)
from service.storage.redis_store.stream import PositionAbsent, StreamBatch
from service.storage.sql.hashing import key_of
from tests.conftest import RedisClients

SUMMARY = summarise(
    [ClusterPart("k-1", 0.97, 0.86, 0.83, True, {1, 2, 3}, exempt=1), ClusterPart("k-2", 0.5, 0.5, 0.0, False, {3, 4})]
)


def read(clients: RedisClients, *targets: str, tenant: str = "t") -> Standings:
    found: Standings = clients.run(read_targets(clients.asyncio, tenant, targets))
    return found


def begin(clients: RedisClients) -> None:
    clients.run(stream.begin(clients.asyncio, "t", 5))


def test_without_a_counter_no_zeros_are_invented(clients: RedisClients) -> None:
    write_totals(clients.blocking, "t", {key_of("a"): 3})
    with pytest.raises(PositionAbsent):
        read(clients, "a")


def test_targets_come_in_the_order_asked_and_unknown_ones_are_zero(clients: RedisClients) -> None:
    begin(clients)
    write_totals(clients.blocking, "t", {key_of("a"): 3, key_of("b"): 5})
    write_memberships(clients.blocking, "t", {key_of("b"): SUMMARY})
    standings = read(clients, "b", "never", "a", "b")
    assert [(t.complaints, len(t.summary.clusters)) for t in standings.targets] == [(5, 2), (0, 0), (3, 0), (5, 2)]
    assert standings.targets[0].summary == SUMMARY


def test_what_fell_to_nothing_is_removed(clients: RedisClients) -> None:
    begin(clients)
    write_totals(clients.blocking, "t", {key_of("a"): 3, key_of("b"): 5})
    write_memberships(clients.blocking, "t", {key_of("a"): SUMMARY, key_of("b"): SUMMARY})
    write_totals(clients.blocking, "t", {key_of("a"): 0})
    write_memberships(clients.blocking, "t", {key_of("a"): None, key_of("b"): TargetSummary()})
    assert [(t.complaints, t.summary.clusters) for t in read(clients, "a", "b").targets] == [(0, ()), (5, ())]
    assert clients.blocking.hlen(redis_keys.totals("t")) == 1
    assert not clients.blocking.exists(redis_keys.memberships("t"))


def test_notices_by_trusted_flaggers_are_unknown_until_all_were_written(clients: RedisClients) -> None:
    begin(clients)
    redis = clients.blocking
    write_trusted_notices(redis, "t", {key_of("a"): 2, key_of("gone"): 1})
    assert [t.trusted_notices for t in read(clients, "a", "b").targets] == [None, None]
    write_trusted_notices(redis, "t", {key_of("a"): 3, key_of("b"): 1}, complete=True)
    assert [t.trusted_notices for t in read(clients, "a", "b", "gone").targets] == [3, 1, 0]
    write_trusted_notices(redis, "t", {key_of("b"): 0})
    assert targets_with_trusted_notices(redis, "t") == {key_of("a")}
    assert targets_with_trusted_notices(redis, "t", [key_of("b"), key_of("a")]) == {key_of("a")}
    forget_trusted_notices(redis, "t")
    assert [t.trusted_notices for t in read(clients, "a").targets] == [None]


def test_writing_nothing_writes_nothing(clients: RedisClients) -> None:
    write_totals(clients.blocking, "t", {})
    write_memberships(clients.blocking, "t", {})
    write_progress(clients.blocking, "t")
    assert clients.blocking.keys("*") == []


def test_many_thousands_are_written_and_five_hundred_are_read_at_once(clients: RedisClients) -> None:
    begin(clients)
    write_totals(clients.blocking, "t", {key_of(f"t-{n}"): n for n in range(1, 5_001)})
    assert [t.complaints for t in read(clients, *(f"t-{n}" for n in range(4_501, 5_001))).targets] == list(
        range(4_501, 5_001)
    )


def test_an_answer_is_as_of_now_once_everything_is_analysed(clients: RedisClients) -> None:
    begin(clients)
    seconds, micro = clients.blocking.time()
    quiet = read(clients, "a")
    assert not quiet.freshness().pending
    assert microseconds(quiet.as_of) >= int(seconds) * 1_000_000 + int(micro)

    clients.run(stream.append(clients.asyncio, "t", [StreamBatch(3, b"x")], 10))
    waiting = read(clients, "a")
    assert (waiting.freshness().pending, waiting.as_of) == (
        True,
        moment(5),
    )  # nothing was acknowledged before the tenant began

    write_progress(clients.blocking, "t", archived=3, analysed=2, as_of_us=77, dead=0)
    assert (read(clients, "a").freshness().pending, read(clients, "a").as_of) == (True, moment(77))
    write_progress(clients.blocking, "t", analysed=3)
    assert not read(clients, "a").freshness().pending


def test_progress_keeps_what_it_is_not_told(clients: RedisClients) -> None:
    write_progress(clients.blocking, "t", archived=3, dead=1)
    write_progress(clients.blocking, "t", analysed=2)
    assert clients.blocking.hgetall(redis_keys.progress("t")) == {b"archived": b"3", b"dead": b"1", b"analysed": b"2"}


def test_tenants_are_apart(clients: RedisClients) -> None:
    begin(clients)
    clients.run(stream.begin(clients.asyncio, "u", 5))
    write_totals(clients.blocking, "t", {key_of("a"): 3})
    assert read(clients, "a", tenant="u").targets[0].complaints == 0


SHARES = st.builds(
    ClusterShare,
    st.text("abc-", min_size=1, max_size=5),
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.booleans(),
)
SUMMARIES = st.builds(
    TargetSummary,
    st.lists(SHARES, max_size=4).map(tuple),
    st.floats(0, 1e6),
    st.dictionaries(st.text("abc-", min_size=1, max_size=5), st.floats(0, 1e6), max_size=4),
)


@given(SUMMARIES)
def test_a_packed_summary_unpacks_to_itself(summary: TargetSummary) -> None:
    found: Any = unpack(pack(summary))
    assert found == summary
