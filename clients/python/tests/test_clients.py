"""Both clients against servers that answer, refuse, hesitate and misbehave."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripted_servers import ASSESSMENT, RECEIPT, Scripted

from brigadewatch_client import AsyncClient, Client, Complaint, Outcome, Refused, Unreachable

RawServer = Callable[[Callable[[socket.socket, threading.Event], None]], str]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def silent(sock: socket.socket, over: threading.Event) -> None:
    """Accepts and never answers."""
    over.wait(60)


def trickling_headers(sock: socket.socket, over: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.02):
        sock.sendall(b"X")


def trickling_body(sock: socket.socket, over: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(0.02):
        sock.sendall(b" ")


def flooding(sock: socket.socket, over: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not over.is_set():
        sock.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")


def hanging_up(sock: socket.socket, over: threading.Event) -> None:
    sock.recv(65_536)


def no_http(sock: socket.socket, over: threading.Event) -> None:
    sock.recv(65_536)
    sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    over.wait(0.05)


MISBEHAVIOURS = [silent, trickling_headers, trickling_body, flooding, hanging_up, no_http]


@pytest.mark.parametrize("behave", MISBEHAVIOURS)
@pytest.mark.parametrize(("when_unreachable", "recommendation"), [("open", "none"), ("closed", "hold")])
def test_without_an_answer_the_configured_recommendation_is_given(
    raw_server: RawServer, behave: Any, when_unreachable: Any, recommendation: str
) -> None:
    with Client(raw_server(behave), "k", when_unreachable=when_unreachable, timeout=0.2) as client:
        advice = client.may_remove("t", 8)
    assert (advice.recommendation, advice.reached, advice.assessment, advice.remove) == (
        recommendation,
        False,
        None,
        recommendation == "none",
    )
    assert advice.why


@pytest.mark.parametrize("behave", MISBEHAVIOURS)
def test_the_async_client_is_bounded_as_well(raw_server: RawServer, behave: Any) -> None:
    async def ask() -> None:
        async with AsyncClient(raw_server(behave), "k", when_unreachable="closed", timeout=0.2) as client:
            assert not (await client.may_remove("t", 8)).remove
            with pytest.raises(Unreachable):
                await client.assess_many(["t"])

    asyncio.run(ask())


def test_a_server_that_is_gone_fails_at_once(nobody: str) -> None:
    with Client(nobody, "k", when_unreachable="closed") as client:
        advice = client.may_remove("t", 8)
        assert (advice.reached, advice.recommendation) == (False, "hold")
        assert "ConnectError" in advice.why
        with pytest.raises(Unreachable):
            client.assess("t")


def test_the_lookup_of_a_name_is_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    over, ended = threading.Event(), threading.Event()

    def slow_lookup(*arguments: Any, **named: Any) -> Any:
        over.wait(60)
        ended.set()
        raise socket.gaierror(socket.EAI_AGAIN, "no resolver")

    monkeypatch.setattr(socket, "getaddrinfo", slow_lookup)
    with Client("http://watch.example", "k", when_unreachable="open", timeout=0.2) as client:
        assert not client.may_remove("t", 8).reached
        assert not ended.is_set(), "the client does not wait for the lookup"
        over.set()


def test_calls_that_timed_out_leave_no_connection_taken(raw_server: RawServer) -> None:
    answering = threading.Event()
    body = json.dumps(ASSESSMENT).encode()

    def later(sock: socket.socket, over: threading.Event) -> None:
        if answering.is_set():
            sock.recv(65_536)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        else:
            over.wait(60)

    # the last call has to be answered within the time-out, on a busy machine too
    with Client(raw_server(later), "k", when_unreachable="open", timeout=2) as client:
        with pytest.raises(Unreachable):
            client.assess("t")
        # more than the pool has places
        threads = [threading.Thread(target=client.may_remove, args=("t", 8)) for _ in range(120)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answering.set()
        assert client.assess("t").complaints == 12


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_service_in_trouble_is_no_answer_to_a_question(scripted: Scripted, status: int) -> None:
    scripted.says((status, {"Retry-After": "2"}, {"detail": "being rebuilt"}))
    with Client(scripted.url, "k", when_unreachable="closed", timeout=2) as client:
        advice = client.may_remove("t", 8)
        assert (advice.reached, advice.recommendation) == (False, "hold")
        assert "being rebuilt" in advice.why
        with pytest.raises(Unreachable) as caught:
            client.assess("t")
    assert (caught.value.status, caught.value.retry_after) == (status, 2.0)
    assert len(scripted.seen) == 2  # a question is not asked again and again


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 302])
def test_wrong_usage_raises_even_where_outages_do_not(scripted: Scripted, status: int) -> None:
    scripted.says((status, {"Location": "http://elsewhere/"}, {"detail": "this key has no scope 'read'"}))
    with Client(scripted.url, "k", when_unreachable="open", timeout=2) as client, pytest.raises(Refused) as caught:
        client.may_remove("t", 8)
    assert caught.value.status == status


def test_advice_carries_the_assessment(scripted: Scripted) -> None:
    with Client(scripted.url, "secret-key", when_unreachable="open", timeout=2) as client:
        advice = client.may_remove("t", 8)
        assert advice.reached and not advice.remove and advice.why == ""
        assert advice.assessment == client.assess("t", 8)
        scripted.says((200, {}, {**ASSESSMENT, "recommendation": "review"}))
        assert client.may_remove("t", 8).remove
    assert scripted.seen[0].headers["authorization"] == "Bearer secret-key"
    assert scripted.seen[0].path == "/v1/targets/t?threshold=8&wait=0"


def test_connections_are_used_again(scripted: Scripted) -> None:
    with Client(scripted.url, "k", when_unreachable="open", timeout=2) as client:
        for _ in range(20):
            client.assess("t")
    assert len(scripted.connections) == 1


def test_a_connection_closed_while_idle_costs_no_answer(raw_server: RawServer) -> None:
    body = json.dumps(ASSESSMENT).encode()

    def once_and_silently_gone(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        sock.recv(65_536)  # the next request is read, and the connection closed in its face

    with Client(raw_server(once_and_silently_gone), "k", when_unreachable="open", timeout=2) as client:
        assert [client.assess("t").complaints for _ in range(4)] == [12] * 4


def test_many_targets_are_asked_for_in_their_order(scripted: Scripted) -> None:
    ids = [f"t{k}" for k in range(1_100)]
    parts = [ids[:500], ids[500:1_000], ids[1_000:]]
    scripted.says(*[(200, {}, {"items": [{**ASSESSMENT, "target_id": i} for i in part]}) for part in parts])
    with Client(scripted.url, "k", when_unreachable="open", timeout=5) as client:
        assert [a.target_id for a in client.assess_many(iter(ids), 5)] == ids
        assert client.assess_many([]) == []
        with pytest.raises(ValueError, match="is not a valid id"):
            client.assess_many([*ids, ""])
    assert len(scripted.seen) == 3


def test_sending_waits_for_retry_after_and_sends_the_same_again(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", recorded)
    scripted.says(
        (503, {"Retry-After": "0"}, {"detail": "rebuilt"}),
        (429, {"Retry-After": "0.3"}, {"detail": "slowly"}),
        (202, {}, RECEIPT),
    )
    with Client(scripted.url, "k", when_unreachable="open") as client:
        receipt = client.complain(Complaint("c", NOW, "r", "t"))
    assert any(wait >= 0.3 for wait in waits)
    assert (receipt.accepted, receipt.position) == (1, 41)
    assert len(scripted.seen) == 3
    assert len({seen.body for seen in scripted.seen}) == 1


def test_sending_gives_up_in_time_and_says_how_far_it_came(scripted: Scripted) -> None:
    scripted.says((202, {}, {**RECEIPT, "accepted": 1_000}), (503, {"Retry-After": "3600"}, {"detail": "down"}))
    items = [Complaint(f"c{k}", NOW, "r", "t") for k in range(1_500)]
    with (
        Client(scripted.url, "k", when_unreachable="open", retry_for=0.5) as client,
        pytest.raises(Unreachable) as caught,
    ):
        client.complain_many(items)
    assert (caught.value.done, caught.value.retry_after) == (1_000, 3_600.0)


def test_the_async_client_sends_too(scripted: Scripted) -> None:
    scripted.says(
        (503, {"Retry-After": "0"}, {}),
        (202, {}, {**RECEIPT, "accepted": 1_000}),
        (202, {}, {**RECEIPT, "accepted": 1, "position": 42}),
    )

    async def send() -> None:
        async with AsyncClient(scripted.url, "k", when_unreachable="open") as client:
            receipt = await client.complain_many(Complaint(f"c{k}", NOW, "r", "t") for k in range(1_001))
            assert (receipt.accepted, receipt.position) == (1_001, 42)
            scripted.says((503, {}, {"detail": "down"}))
            client._retry_for = 0.0
            with pytest.raises(Unreachable) as caught:
                await client.outcomes([Outcome("o", "t", NOW, "upheld")])
            assert caught.value.done == 0

    asyncio.run(send())
    assert scripted.seen[0].headers["content-encoding"] == "gzip"
    assert scripted.seen[1].body.count(b"\n") == 999


def test_a_single_item_that_is_not_valid_raises_and_one_of_many_is_listed(scripted: Scripted) -> None:
    problem = {
        "detail": "none is valid",
        "errors": [{"line": 1, "id": "c", "detail": "'id' is required", "pointer": "/target/id"}],
        "rejected_count": 1,
    }
    scripted.says((422, {}, problem))
    with Client(scripted.url, "k", when_unreachable="open") as client:
        with pytest.raises(Refused, match="/target/id") as caught:
            client.complain({"id": "c"})
        assert caught.value.errors[0]["id"] == "c"
        with pytest.raises(Refused):
            client.outcome({"id": "c"})
        receipt = client.complain_many([{"id": "c"}])
        assert (receipt.accepted, receipt.rejected_count, receipt.rejected[0].id) == (0, 1, "c")
        with pytest.raises(Refused, match="1048576"):
            client.complain({"id": "c", "text": "x" * 1_100_000})
        assert client.complain_many([]).accepted == 0


def test_a_withdrawal_and_a_brief_go_to_their_paths(scripted: Scripted) -> None:
    with Client(scripted.url, "k", when_unreachable="open") as client:
        scripted.says((202, {}, RECEIPT))
        assert client.withdraw("report/5").position == 41
        scripted.says((200, {}, {"words": ["12 people complained"]}))
        assert client.brief("..") == {"words": ["12 people complained"]}
        scripted.says((200, {}, ["no brief"]))
        with pytest.raises(Unreachable):
            client.brief("t")
    assert [(s.method, s.path) for s in scripted.seen[:2]] == [
        ("DELETE", "/v1/complaints/report%2F5"),
        ("GET", "/v1/targets/%2E%2E/brief"),
    ]


def test_every_call_of_a_client_names_its_namespace(scripted: Scripted) -> None:
    scripted.says(
        (200, {}, {**ASSESSMENT, "target_id": "forum2:t"}),
        (200, {}, {**ASSESSMENT, "target_id": "t"}),
        (202, {}, RECEIPT),
        (202, {}, RECEIPT),
        (200, {}, {"target_id": "forum2:t"}),
    )
    with Client(scripted.url, "k", when_unreachable="closed", namespace="forum2", timeout=5.0) as client:
        assert client.assess("t", 8).target_id == "t"
        with pytest.raises(Unreachable, match="asked about 'forum2:t', and the answer is about 't'"):
            client.assess("t")  # a service that does not know namespaces answers about another target
        client.complain({"id": "c"})
        client.withdraw("c")
        client.brief("t")
    assert [seen.path for seen in scripted.seen] == [
        "/v1/targets/t?threshold=8&namespace=forum2",
        "/v1/targets/t?namespace=forum2",
        "/v1/complaints?namespace=forum2",
        "/v1/complaints/c?namespace=forum2",
        "/v1/targets/t/brief?namespace=forum2",
    ]


@pytest.mark.parametrize("namespace", ["", "Forum", "a:b", "-a", "x" * 33, "a\n", 2])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_cannot_be_a_namespace_is_named_at_once(kind: Any, namespace: Any) -> None:
    with pytest.raises(ValueError, match="has to be 1 to 32 lowercase letters, digits and hyphens"):
        kind("http://watch.example", "k", when_unreachable="open", namespace=namespace)


def test_a_slow_reader_of_complaints_holds_up_no_question(scripted: Scripted) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def complaints() -> Any:
        reading.set()
        go_on.wait(10)
        yield Complaint("c", NOW, "r", "t")

    with Client(scripted.url, "k", when_unreachable="open", timeout=2) as client:
        sender = threading.Thread(target=lambda: client.complain_many(complaints()))
        sender.start()
        assert reading.wait(5)
        assert client.may_remove("t", 8).reached
        scripted.says((202, {}, RECEIPT))
        go_on.set()
        sender.join(10)
        assert not sender.is_alive()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"when_unreachable": "maybe"}, "when_unreachable is 'maybe'"),
        ({"when_unreachable": None}, "when_unreachable"),
        ({"url": "watch.example"}, "has to be like"),
        ({"url": "ftp://x"}, "has to be like"),
        ({"url": "http://u:p@x"}, "password"),
        ({"url": "http://x/?a=b"}, "query"),
        ({"url": None}, "url is None"),
        ({"url": "http://[::1"}, "url is"),
        ({"key": ""}, "key is empty"),
        ({"key": "a b"}, "key"),
        ({"key": "ключ"}, "key"),
        ({"key": "a\nX-Evil: 1"}, "key"),
        ({"key": None}, "key"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": "1"}, "timeout is '1'"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"retry_for": -1}, "retry_for is -1"),
        ({"send_timeout": True}, "send_timeout is True"),
    ],
)
def test_arguments_that_make_no_sense_are_named_at_once(arguments: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"url": "http://127.0.0.1:1", "key": "k", "when_unreachable": "open", **arguments}
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match=words) as caught:
            kind(**given)
        if arguments.get("key"):
            assert arguments["key"] not in str(caught.value)


def test_how_to_fail_has_no_default() -> None:
    with pytest.raises(TypeError, match="when_unreachable"):
        Client("http://127.0.0.1:1", "k")  # type: ignore[call-arg]


def test_a_url_may_have_a_path_before_the_calls(scripted: Scripted) -> None:
    with Client(scripted.url + "/watch/", "k", when_unreachable="open", timeout=2) as client:
        client.assess("t")
    assert scripted.seen[0].path == "/watch/v1/targets/t"


def test_a_closed_client_begins_anew_and_a_forgotten_one_ends_its_thread(scripted: Scripted) -> None:
    client = Client(scripted.url, "k", when_unreachable="open", timeout=2)
    client.assess("t")
    client.close()
    assert client.assess("t").complaints == 12
    before = {thread for thread in threading.enumerate() if thread.name == "brigadewatch-client"}
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
    assert not any(thread.is_alive() for thread in before)


def test_closing_ends_calls_under_way(raw_server: RawServer) -> None:
    begun = threading.Event()

    def behave(sock: socket.socket, over: threading.Event) -> None:
        begun.set()
        over.wait(60)

    client = Client(raw_server(behave), "k", when_unreachable="open", timeout=30)
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(client.may_remove("t", 8)))
    asking.start()
    assert begun.wait(5)
    client.close()
    asking.join(5)
    assert not found[0].reached


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_asks_on_connections_of_its_own(scripted: Scripted) -> None:
    program = (
        "import os, sys; from brigadewatch_client import Client\n"
        f"client = Client({scripted.url!r}, 'k', when_unreachable='closed', timeout=5)\n"
        "assert client.may_remove('t', 8).reached\n"
        "pid = os.fork()\n"
        "answers = [client.may_remove('t', 8).reached for _ in range(3)]\n"
        "if pid == 0: os._exit(0 if all(answers) else 1)\n"
        "assert all(answers) and os.waitpid(pid, 0)[1] == 0\n"
        "print('both')"
    )
    source = str(Path(__file__).parents[1] / "src")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert (done.stdout.strip(), done.stderr) == ("both", "")
    assert len(scripted.connections) == 2


def test_within_a_running_loop_the_blocking_client_works_too(scripted: Scripted) -> None:
    async def ask() -> bool:
        with Client(scripted.url, "k", when_unreachable="open", timeout=2) as client:
            return client.may_remove("t", 8).reached

    assert asyncio.run(ask())
