"""Draining a stream: nothing lost, nothing twice, and what cannot be archived does not stop the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from archive_lines import complaint, outcome, withdrawal
from pipeline_world import Paper
from sqlalchemy import Engine, event, update
from sqlalchemy.exc import OperationalError

from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.complaints.archive_reader import pending_items, unfinished_of
from service.storage.complaints.dead_letters import DeadLetter, drop, list_dead_letters, retry
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.job_queue import enqueue
from service.storage.redis_store.leases import Lease
from service.storage.redis_store.redis_identity import ForeignRedis
from service.storage.redis_store.stream import StreamEntry
from service.storage.sql.engine import write
from service.storage.sql.schema import feed, redis_identity
from workers import ingest


@pytest.fixture
def paper(clients: Any, engine: Engine, settings: Settings) -> Paper:
    return Paper(clients, engine, settings)


def run_until_quiet(paper: Paper, at_most: int = 12) -> list[str]:
    """Run as the clock would; the errors of the runs that failed."""
    errors = []
    for _ in range(at_most):
        try:
            ingest.run(paper.name, paper.resources)
        except Exception as error:
            errors.append(type(error).__name__)
        if not paper.waiting():
            break
    return errors


def letters(paper: Paper) -> list[DeadLetter]:
    with paper.engine.connect() as connection:
        return list_dead_letters(connection, paper.id)


def pending(paper: Paper) -> tuple[int, int]:
    """(pending before analysis, dead letters)."""
    with paper.engine.connect() as connection:
        unfinished = unfinished_of(connection, paper.id)
    accepted = int(paper.redis.get(redis_keys.position(paper.name)))
    return pending_items(accepted, paper.state(), unfinished) - unfinished.unanalysed, unfinished.dead


def test_what_was_accepted_is_archived_acknowledged_and_told(paper: Paper) -> None:
    for number in range(5):
        paper.accepts(complaint(f"a{number}", reporter=f"r{number}"), complaint(f"b{number}", reporter=f"q{number}"))
    paper.accepts(outcome("o"), withdrawal("a0"))
    ingest.run(paper.name, paper.resources)
    assert paper.waiting() == 0
    assert paper.archived_ids() == [f"{kind}{number}" for number in range(5) for kind in "ab"]
    assert paper.state().archived_position == paper.progress("archived") == 12
    assert pending(paper) == (0, 0)
    assert paper.redis.sismember(redis_keys.TENANTS_DIRTY, paper.name)
    assert not paper.redis.exists(redis_keys.lease("ingest", paper.name))


def test_a_full_stream_is_archived_in_few_transactions(paper: Paper) -> None:
    for number in range(40):
        paper.accepts(*[complaint(f"{number}-{k}", reporter=f"{number}-{k}") for k in range(500)])
    while paper.waiting():  # a turn ends after two seconds, which a busy machine may need for a part of it
        ingest.run(paper.name, paper.resources)
    assert paper.state().archived == 20_000
    assert paper.count(feed) <= 6


def test_a_turn_ends_soon_where_another_tenants_job_waits(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "SHORT_TURN_SECONDS", 0.0)
    monkeypatch.setattr(ingest, "TURN_SECONDS", 600.0)  # however busy the machine is
    for number in range(20):
        paper.accepts(*[complaint(f"{number}-{k}", reporter=f"{number}-{k}") for k in range(500)])
    enqueue(paper.redis, "ingest", "other")
    ingest.run(paper.name, paper.resources)
    assert 0 < paper.state().archived <= ingest.ITEMS_AT_ONCE + 500
    paper.redis.delete("rq:queue:ingest")
    ingest.run(paper.name, paper.resources)
    assert paper.state().archived == 10_000


def test_while_another_holds_the_lease_nothing_is_touched(paper: Paper) -> None:
    paper.accepts(complaint("a"))
    other = Lease(paper.redis, "ingest", paper.name, ttl_ms=60_000)
    assert other.take()
    ingest.run(paper.name, paper.resources)
    assert paper.archived_ids() == []
    other.release()
    ingest.run(paper.name, paper.resources)
    assert paper.archived_ids() == ["a"]


def test_a_crash_between_commit_and_acknowledgement_repeats_nothing(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper.accepts(complaint("a"), complaint("b", reporter="y"))

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stream, "acknowledge", crash)
        with pytest.raises(KeyboardInterrupt):
            ingest.run(paper.name, paper.resources)
    assert paper.waiting() == 1
    paper.accepts(complaint("c", reporter="z"))
    ingest.run(paper.name, paper.resources)
    state = paper.state()
    assert (state.archived, state.duplicates, state.archived_position) == (3, 0, 3)
    assert paper.waiting() == 0


def test_an_entry_that_another_worker_was_handed_is_archived_in_its_place(paper: Paper) -> None:
    for name in "abc":
        paper.accepts(complaint(name, reporter=name))
    drain = ingest._Drain(paper.name, paper.id, Lease(paper.redis, "ingest", paper.name), paper.resources)
    # Between this worker's look at what is pending and its look at what is new, a late one takes the first entry.
    handed = []
    read = stream.read_entries

    def read_after_another(*arguments: Any) -> Any:
        if not handed:
            handed.extend(
                paper.redis.xreadgroup(stream.GROUP, ingest.CONSUMER, {redis_keys.stream(paper.name): ">"}, count=1)
            )
            return stream._read(paper.redis, paper.name, ingest.CONSUMER, 100, 100, pending=False)
        return read(*arguments)

    paper.redis.xgroup_create(redis_keys.stream(paper.name), stream.GROUP, "0", mkstream=True)
    stream.read_entries = read_after_another  # type: ignore[assignment]
    try:
        drain.until(0)
    finally:
        stream.read_entries = read
    assert paper.archived_ids() == ["a", "b", "c"]
    assert paper.waiting() == 0


def test_one_bad_line_is_buried_and_the_rest_goes_on_in_its_order(paper: Paper) -> None:
    paper.accepts(complaint("a", reporter="a"))
    paper.accepts(
        *[complaint(f"b{k}", reporter=f"b{k}") for k in range(10)],
        b"c{broken",
        *[complaint(f"c{k}", reporter=f"c{k}") for k in range(10)],
    )
    paper.accepts(complaint("d", reporter="d"))
    errors = run_until_quiet(paper)
    assert len(errors) == ingest.DELIVERIES - 1, "tried, and not buried at once"
    assert paper.archived_ids() == ["a", *[f"b{k}" for k in range(10)], *[f"c{k}" for k in range(10)], "d"]
    (letter,) = letters(paper)
    assert (letter.position, letter.line) == (12, "c{broken")
    assert "ValueError" in letter.error
    assert pending(paper) == (0, 1)
    state = paper.state()
    assert (state.archived_position, state.archived) == (23, 22)
    with paper.engine.connect() as connection:
        assert max(row.last_position for row in connection.execute(feed.select())) == 23


def test_an_entry_of_bad_lines_alone_is_passed_over_as_far_as_detection_sees(paper: Paper) -> None:
    paper.accepts(b"cx", b"\xff\xfe", b"")
    run_until_quiet(paper)
    assert [letter.position for letter in letters(paper)] == [1, 2, 3]
    assert pending(paper) == (0, 3)
    with paper.engine.connect() as connection:
        rows = connection.execute(feed.select().order_by(feed.c.last_seq)).all()
    assert [(row.last_position, row.items) for row in rows] == [(1, 0), (2, 0), (3, 0)]


def test_a_buried_item_can_be_sent_again_once_and_is_pending_meanwhile(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ingest.commit

    def refuse(connection: Any, tenant: int, epoch: int, batches: Any, privacy_filter: Any) -> Any:
        if any(b'"poison"' in batch.lines for batch in batches):
            raise ValueError("a fault of ours")
        return real(connection, tenant, epoch, batches, privacy_filter)

    paper.accepts(complaint("fine", reporter="x"), complaint("poison"))
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "commit", refuse)
        run_until_quiet(paper)
        assert pending(paper) == (0, 1)
        assert retry(paper.engine, paper.redis, paper.name, paper.id, 5) == 1
        assert pending(paper) == (1, 0)
        assert retry(paper.engine, paper.redis, paper.name, paper.id, 5) == 0
        run_until_quiet(paper)
        assert pending(paper) == (0, 1), "it failed again, and is dead again"
        assert len(letters(paper)) == 1 and "a fault of ours" in letters(paper)[0].error
    assert retry(paper.engine, paper.redis, paper.name, paper.id, 6, [letters(paper)[0].id]) == 1
    (entry,) = paper.redis.xrange(redis_keys.stream(paper.name))
    paper.redis.xadd(redis_keys.stream(paper.name), entry[1])  # as after a crash in the middle of sending it again
    run_until_quiet(paper)
    assert letters(paper) == []
    assert pending(paper) == (0, 0)
    state = paper.state()
    assert (state.archived, state.duplicates, state.archived_position) == (2, 0, 2)
    assert paper.archived_ids() == ["fine", "poison"]


def test_a_dropped_letter_leaves_no_remainder_even_when_it_was_on_its_way(paper: Paper) -> None:
    paper.accepts(b"cx", b"cy")
    run_until_quiet(paper)
    first, second = letters(paper)
    retry(paper.engine, paper.redis, paper.name, paper.id, 5, [first.id])
    assert drop(paper.engine, paper.id, [first.id]) == 1
    run_until_quiet(paper)
    assert [letter.id for letter in letters(paper)] == [second.id]
    assert drop(paper.engine, paper.id) == 1
    assert pending(paper) == (0, 0)


def test_while_redis_is_rebuilt_nothing_is_sent_again(paper: Paper) -> None:
    paper.accepts(b"cx")
    run_until_quiet(paper)
    paper.redis.delete(redis_keys.position(paper.name))
    with pytest.raises(StoreUnavailable, match="try again"):
        retry(paper.engine, paper.redis, paper.name, paper.id, 5)


def test_a_database_that_is_out_of_order_buries_nothing(paper: Paper) -> None:
    paper.accepts(complaint("a"))

    def fail(*_: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    event.listen(paper.engine, "before_cursor_execute", fail)
    errors = run_until_quiet(paper, 9)
    event.remove(paper.engine, "before_cursor_execute", fail)
    assert errors == ["OperationalError"] * 9
    assert run_until_quiet(paper) == []
    assert (paper.archived_ids(), letters(paper)) == (["a"], [])


def test_a_long_stream_gives_other_tenants_their_turn(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(ingest, "ITEMS_AT_ONCE", 2)
    for number in range(20):
        paper.accepts(complaint(f"a{number}", reporter=f"r{number}"), complaint(f"b{number}", reporter=f"q{number}"))
    ingest.run(paper.name, paper.resources)
    assert 0 < len(paper.archived_ids()) < 40
    run_until_quiet(paper, 50)
    assert len(paper.archived_ids()) == 40


def test_a_stream_of_no_tenant_is_left_alone(paper: Paper) -> None:
    paper.redis.xadd(redis_keys.stream("nobody"), {"first": 1, "n": 1, "at": 1, "lines": complaint("a")})
    ingest.run("nobody", paper.resources)
    assert paper.redis.xlen(redis_keys.stream("nobody")) == 1


def test_a_reader_does_not_stop_the_writer(paper: Paper) -> None:
    paper.accepts(complaint("a"))
    with paper.engine.connect() as reader:
        reader.execute(feed.select()).all()
        ingest.run(paper.name, paper.resources)
    assert paper.archived_ids() == ["a"]
    with write(paper.engine) as connection:
        assert connection.execute(feed.select()).first() is not None


def lines_at(*days: float) -> bytes:
    start = datetime(2021, 12, 1, tzinfo=UTC)
    return b"\n".join(
        b"c"
        + json.dumps(
            {"id": f"c{k}", "occurred_at": (start + timedelta(days=day)).isoformat()}, separators=(",", ":")
        ).encode()
        for k, day in enumerate(days)
    )


def test_history_is_archived_in_groups_of_a_day_and_every_line_keeps_its_position() -> None:
    batches = [
        StreamEntry("1-0", 1, 7, lines_at(0, 0.2)),
        StreamEntry("2-0", 3, 8, lines_at(0.4, 0.9, 3, 3.5, 9)),
        StreamEntry("3-0", 8, 9, b'w{"id":"x"}\n' + lines_at(9.5)),
    ]
    groups = list(ingest.by_day(batches))
    assert [[(b.entry_id, b.first, b.lines.count(b"\n") + 1) for b in group] for group in groups] == [
        [("1-0", 1, 2), ("2-0", 3, 2)],
        [("2-0", 5, 2)],
        [("2-0", 7, 1), ("3-0", 8, 2)],
    ]
    assert b"\n".join(b.lines for group in groups for b in group) == b"\n".join(b.lines for b in batches)


def test_what_cannot_be_read_or_was_sent_again_is_not_cut() -> None:
    again = StreamEntry("4-0", -3, 7, lines_at(0, 20))
    assert list(ingest.by_day([again])) == [[again]]
    torn = StreamEntry("5-0", 1, 7, b'c{torn\nc{"occurred_at":"not a time at all...."}')
    assert list(ingest.by_day([torn])) == [[torn]]


def test_what_another_redis_holds_is_neither_archived_nor_acknowledged(paper: Paper) -> None:
    paper.accepts(complaint("a"))
    ingest.run(paper.name, paper.resources)
    paper.redis.set(redis_keys.IDENTITY, "f" * 32)
    paper.accepts(complaint("b", reporter="y"))
    with pytest.raises(ForeignRedis):
        ingest.run(paper.name, paper.resources)
    assert (paper.archived_ids(), paper.waiting()) == (["a"], 1)


def test_a_redis_that_is_replaced_during_a_turn_commits_nothing(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    paper.accepts(complaint("a"))
    real = stream.read_entries

    def then_replaced(*arguments: Any) -> list[StreamEntry]:
        with write(paper.engine) as connection:
            connection.execute(update(redis_identity).values(identity="f" * 32))
        return real(*arguments)

    monkeypatch.setattr(ingest.stream, "read_entries", then_replaced)
    with pytest.raises(ForeignRedis):
        ingest.run(paper.name, paper.resources)
    assert (paper.archived_ids(), paper.waiting(), letters(paper)) == ([], 1, [])


def test_a_position_that_was_used_before_loses_no_item(paper: Paper) -> None:
    """A copied Redis hands out positions, and even entry ids, that the archive has passed."""
    paper.accepts(complaint("a"), complaint("b", reporter="y"), outcome("o", "t"), withdrawal("b"))
    ingest.run(paper.name, paper.resources)
    archived = paper.state()
    entry = {"first": 1, "n": 4, "at": 5, "requests": ""}
    lines = [complaint("a"), complaint("c", reporter="z"), outcome("p", "t"), withdrawal("a")]
    paper.redis.delete(redis_keys.stream(paper.name))
    paper.redis.xadd(redis_keys.stream(paper.name), {**entry, "lines": b"\n".join(lines)}, id="1-1")
    ingest.run(paper.name, paper.resources)
    assert paper.archived_ids() == ["a", "b", "c"]
    now = paper.state()
    assert (now.archived_position, now.last_seq - archived.last_seq) == (4, 3), "a was known, three are new"
    assert paper.waiting() == 0


def test_a_dead_letter_that_is_delivered_once_more_is_not_buried_twice(paper: Paper) -> None:
    paper.accepts(b"cx")
    run_until_quiet(paper)
    assert [letter.position for letter in letters(paper)] == [1]
    paper.redis.delete(redis_keys.stream(paper.name))
    paper.redis.xadd(redis_keys.stream(paper.name), {"first": 1, "n": 1, "at": 5, "lines": b"cx"}, id="1-1")
    run_until_quiet(paper)
    assert (len(letters(paper)), paper.waiting()) == (1, 0)


def test_another_item_at_the_position_of_a_dead_letter_is_archived(paper: Paper) -> None:
    """A copied Redis has used the position for something else."""
    paper.accepts(b"cx")
    run_until_quiet(paper)
    paper.redis.delete(redis_keys.stream(paper.name))
    entry = {"first": 1, "n": 1, "at": 5, "lines": complaint("a")}
    paper.redis.xadd(redis_keys.stream(paper.name), entry, id="1-1")
    run_until_quiet(paper)
    assert (paper.archived_ids(), len(letters(paper)), paper.waiting()) == (["a"], 1, 0)
