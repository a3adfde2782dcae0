"""The queue of record, on fakeredis and on a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import Overloaded, StoreUnavailable
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.client import connect
from service.storage.redis_store.room import FULL, UNANALYSED
from service.storage.redis_store.stream import PositionAbsent, StreamBatch
from tests.conftest import RedisClients

NO_LIMIT = 10**18


def append(clients: RedisClients, *batches: tuple[int, bytes], limit: int = NO_LIMIT) -> list[int]:
    found: list[int] = clients.run(
        stream.append(clients.asyncio, "t", [StreamBatch(n, lines) for n, lines in batches], limit)
    )
    return found


def begin(clients: RedisClients) -> None:
    clients.run(stream.begin(clients.asyncio, "t", 5))


def test_nothing_is_taken_while_the_counter_is_absent(clients: RedisClients) -> None:
    with pytest.raises(PositionAbsent):
        append(clients, (1, b"c{}"))
    assert clients.blocking.keys("*") == []


def test_positions_count_items_and_entries_are_read_back(clients: RedisClients) -> None:
    begin(clients)
    assert append(clients, (2, b"c{}\nc{}"), (1, b"w{}")) == [2, 3]
    assert append(clients, (5, b"x\nx\nx\nx\nx")) == [8]
    entries = stream.read_entries(clients.blocking, "t", "worker", 10)
    assert [(e.first, e.n, e.lines, e.deliveries) for e in entries] == [
        (1, 2, b"c{}\nc{}", 1),
        (3, 1, b"w{}", 1),
        (4, 5, b"x\nx\nx\nx\nx", 1),
    ]
    assert entries[0].received_us == entries[1].received_us <= entries[2].received_us
    assert clients.blocking.smembers(redis_keys.TENANTS_WAITING) == {b"t"}


def test_what_was_not_acknowledged_comes_again_before_anything_new(clients: RedisClients) -> None:
    begin(clients)
    append(clients, (1, b"a"), (1, b"b"))
    first, second = stream.read_entries(clients.blocking, "t", "worker", 10)
    stream.acknowledge(clients.blocking, "t", [first.entry_id])
    append(clients, (1, b"c"))
    for deliveries in (2, 3, 4):
        again = stream.read_entries(clients.blocking, "t", "worker", 10)
        assert [(e.entry_id, e.lines, e.deliveries) for e in again] == [(second.entry_id, b"b", deliveries)]
    stream.acknowledge(clients.blocking, "t", [second.entry_id])
    assert [e.lines for e in stream.read_entries(clients.blocking, "t", "worker", 10)] == [b"c"]


def test_acknowledged_entries_are_gone(clients: RedisClients) -> None:
    begin(clients)
    append(clients, (1, b"a"), (1, b"b"))
    assert stream.waiting(clients.blocking, "t") == 2
    stream.acknowledge(
        clients.blocking, "t", [e.entry_id for e in stream.read_entries(clients.blocking, "t", "worker", 10)]
    )
    stream.acknowledge(clients.blocking, "t", [])
    assert stream.waiting(clients.blocking, "t") == 0
    assert stream.read_entries(clients.blocking, "t", "worker", 10) == []


def test_an_entry_deleted_behind_its_reader_is_forgotten(clients: RedisClients) -> None:
    begin(clients)
    append(clients, (1, b"a"))
    entry = stream.read_entries(clients.blocking, "t", "worker", 10)[0]
    clients.blocking.xdel(redis_keys.stream("t"), entry.entry_id)
    append(clients, (1, b"b"))
    assert [e.lines for e in stream.read_entries(clients.blocking, "t", "worker", 10)] == [b"b"]


def test_reading_ends_at_the_count_or_with_enough_items(clients: RedisClients) -> None:
    begin(clients)
    made = [b"\n".join([b"%d" % n] * 10) for n in range(100)]
    append(clients, *[(10, lines) for lines in made])
    assert len(stream.read_entries(clients.blocking, "t", "worker", 3)) == 3
    again = stream.read_entries(clients.blocking, "t", "worker", 50)
    assert [e.lines for e in again] == made[:3]
    stream.acknowledge(clients.blocking, "t", [e.entry_id for e in again])
    some = stream.read_entries(clients.blocking, "t", "worker", 90, max_items=300)
    assert [e.lines for e in some] == made[3:33]
    assert [e.deliveries for e in stream.read_entries(clients.blocking, "t", "worker", 90, max_items=300)] == [2] * 30
    stream.acknowledge(clients.blocking, "t", [e.entry_id for e in some])
    assert [e.lines for e in stream.read_entries(clients.blocking, "t", "worker", 1000)] == made[33:]


def test_a_full_stream_takes_no_more_until_items_are_archived(clients: RedisClients) -> None:
    begin(clients)
    assert append(clients, (50, b"larger than the limit, but nothing waits"), limit=10) == [50]
    assert append(clients, (1, b"a"), limit=10) == [FULL]
    clients.blocking.hset(redis_keys.progress("t"), "archived", 50)
    assert append(clients, (6, b"a"), (5, b"b"), (4, b"c"), limit=10) == [56, FULL, 60]
    assert [e.first for e in stream.read_entries(clients.blocking, "t", "worker", 10)] == [1, 51, 57]


def test_positions_stay_exact_far_beyond_any_tenant(clients: RedisClients) -> None:
    stream.initialise_position(clients.blocking, "t", 2**50)
    assert append(clients, (1, b"a")) == [2**50 + 1]
    assert stream.read_entries(clients.blocking, "t", "worker", 1)[0].first == 2**50 + 1


def test_a_position_is_set_once(clients: RedisClients) -> None:
    assert stream.initialise_position(clients.blocking, "t", 7)
    assert not stream.initialise_position(clients.blocking, "t", 0)
    begin(clients)
    assert append(clients, (1, b"a")) == [8]


def test_an_entry_carries_the_ids_of_those_who_posted_it(clients: RedisClients) -> None:
    begin(clients)
    clients.run(
        stream.append(clients.asyncio, "t", [StreamBatch(1, b"a", "id-1,id-2"), StreamBatch(1, b"b")], NO_LIMIT)
    )
    assert stream.append_blocking(clients.blocking, "t", StreamBatch(1, b"c", "poll-3"), NO_LIMIT) == 3
    clients.blocking.xadd("bw:t:stream", {"first": 4, "n": 1, "at": 1, "lines": b"d"})  # of a version before ids
    assert [e.requests for e in stream.read_entries(clients.blocking, "t", "worker", 5)] == [
        "id-1,id-2",
        "",
        "poll-3",
        "",
    ]


def test_the_oldest_entry_tells_its_receipt(clients: RedisClients) -> None:
    with pytest.raises(PositionAbsent):
        clients.run(stream.position_and_oldest(clients.asyncio, "t"))
    begin(clients)
    assert clients.run(stream.position_and_oldest(clients.asyncio, "t")) == (0, None)
    append(clients, (3, b"a"), (1, b"b"))
    entry = stream.read_entries(clients.blocking, "t", "worker", 1)[0]
    assert clients.run(stream.position_and_oldest(clients.asyncio, "t")) == (4, entry.received_us)


def test_concurrent_appends_never_share_a_position(clients: RedisClients) -> None:
    begin(clients)

    async def many() -> list[Any]:
        return await asyncio.gather(
            *(
                stream.append(
                    clients.asyncio, "t", [StreamBatch(n % 3 + 1, b"\n".join([b"x"] * (n % 3 + 1)))], NO_LIMIT
                )
                for n in range(60)
            )
        )

    last = sorted(position for answer in clients.run(many()) for position in answer)
    entries = stream.read_entries(clients.blocking, "t", "worker", 100)
    assert [e.first + e.n - 1 for e in entries] == last
    assert [e.first for e in entries] == [1, *(position + 1 for position in last[:-1])]


def test_scripts_survive_that_the_server_forgets_them(real_redis: RedisClients) -> None:
    begin(real_redis)
    append(real_redis, (1, b"a"))
    real_redis.blocking.script_flush()
    assert append(real_redis, (1, b"b")) == [2]


def test_a_server_that_is_full_is_overloaded_and_takes_nothing(real_redis: RedisClients) -> None:
    begin(real_redis)
    real_redis.blocking.config_set("maxmemory", "1")
    try:
        with pytest.raises(Overloaded) as refused:
            append(real_redis, (1, b"a"))
    finally:
        real_redis.blocking.config_set("maxmemory", "0")
    assert refused.value.retry_after_seconds > 0
    assert append(real_redis, (1, b"a")) == [1]


def test_a_read_only_server_is_unavailable(real_redis: RedisClients) -> None:
    begin(real_redis)
    append(real_redis, (1, b"a"))
    real_redis.blocking.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable):
            append(real_redis, (1, b"b"))
    finally:
        real_redis.blocking.execute_command("REPLICAOF", "NO", "ONE")


def test_a_server_that_is_not_there_is_unavailable(loop: asyncio.AbstractEventLoop) -> None:
    client = connect("redis://127.0.0.1:1/0", 0.2)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        loop.run_until_complete(stream.append(client, "t", [StreamBatch(1, b"a")], 10))
    loop.run_until_complete(client.aclose())


def test_connections_that_died_with_the_server_are_replaced_before_use(real_redis: RedisClients) -> None:
    begin(real_redis)
    append(real_redis, (1, b"a"))
    own = real_redis.blocking.client_id()
    for connection in real_redis.blocking.client_list():
        if int(connection["id"]) != own:
            real_redis.blocking.client_kill_filter(_id=connection["id"])
    real_redis.run(asyncio.sleep(0.05))  # as in a served process, the loop gets to see the end of the connection
    assert append(real_redis, (1, b"b")) == [2]


def test_a_lost_answer_is_reported_and_nothing_is_sent_twice(real_redis: RedisClients) -> None:
    begin(real_redis)
    impatient = connect(real_redis.url, 0.3)
    real_redis.run(stream.append(impatient, "t", [StreamBatch(1, b"a")], NO_LIMIT))
    real_redis.blocking.execute_command("CLIENT", "PAUSE", 900, "ALL")  # takes the command, answers too late
    with pytest.raises(StoreUnavailable):
        real_redis.run(stream.append(impatient, "t", [StreamBatch(1, b"b")], NO_LIMIT))
    real_redis.run(impatient.aclose())
    lines = [e.lines for e in stream.read_entries(real_redis.blocking, "t", "worker", 10)]
    assert lines in ([b"a"], [b"a", b"b"])  # taken or not, as the client cannot know; never both a and two b


def test_complaints_wait_while_too_much_is_not_analysed_and_what_takes_them_back_does_not(
    clients: RedisClients,
) -> None:
    begin(clients)
    mark = bytes(range(16))
    progress = redis_keys.progress("t")

    def post(*batches: StreamBatch) -> list[int]:
        found: list[int] = clients.run(stream.append(clients.asyncio, "t", batches, NO_LIMIT, 10))
        return found

    assert post(StreamBatch(25, b"c", marks=mark)) == [25], "a tenant that waits for nothing may send any batch"
    clients.blocking.hset(progress, mapping={"archived": 25, "analysed": 16})
    assert post(StreamBatch(1, b"c", marks=mark), StreamBatch(1, b"c", marks=mark), StreamBatch(1, b"w")) == [
        26,
        UNANALYSED,
        27,
    ]
    with pytest.raises(Overloaded, match="10 items wait to be analysed") as refused:
        stream.append_blocking(clients.blocking, "t", StreamBatch(1, b"c", marks=mark), NO_LIMIT, 10)
    assert (refused.value.cause, refused.value.retry_after_seconds) == ("unanalysed", 5)
    clients.blocking.hset(progress, "analysed", 27)
    assert post(StreamBatch(1, b"c", marks=mark)) == [28]
