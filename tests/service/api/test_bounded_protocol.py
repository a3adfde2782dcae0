"""What is cut, and when: over real sockets, with bounds a fraction of the real ones.

The app behind answers what it is told to.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from listening import listening

from service.api.bounded_protocol import Bounds, within

WAIT = 0.4
SMALL = Bounds(
    wait_seconds=WAIT,
    bytes_a_second=1_000,
    body_seconds=2.0,
    write_seconds=WAIT,
    head_bytes=4_096,
    url_bytes=2_048,
    fields=20,
    queued=4,
    unread_bytes=200_000,
    connections=10,
)
GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"


class Answering:
    """An app that reads the body and answers with its length; `/unread` answers first, `/large` with much, `/slow` when
    `go` is set.
    """

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.left = threading.Event()  # a request's client has gone before its body was complete
        self.go = threading.Event()
        self.cut: int | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.begun.append(path)
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        size, content = 0, b""
        if path != "/unread":
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.cut = scope["state"].get("cut")
                    self.left.set()
                    return
                size, more = size + len(message["body"]), message["more_body"]
        if path == "/slow":
            await asyncio.to_thread(self.go.wait, 10)
        content = b"x" * 40_000_000 if path == "/large" else b"%d" % size
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]}
        )
        await send({"type": "http.response.body", "body": content})


@pytest.fixture
def app() -> Answering:
    return Answering()


@pytest.fixture
def dial(app: Answering) -> Iterator[Callable[[], socket.socket]]:
    """Opens a connection to the server."""
    with ExitStack() as stack:
        port = stack.enter_context(listening(app, http=within(SMALL), ws="none"))

        def open_one() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))

        yield open_one
        app.go.set()


Dial = Callable[[], socket.socket]


def rest(line: socket.socket) -> bytes:
    """All that comes until the other side ends the connection, however it does."""
    parts = []
    try:
        while part := line.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_connection_without_a_request_is_closed_without_an_answer(dial: Dial, app: Answering) -> None:
    line = dial()
    assert rest(line) == b""
    assert app.begun == []


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\nHost: t\r\n", b"GET / HTTP/1.1\r\nHost: t\r\nX-A: "])
def test_a_header_that_does_not_end_is_answered_with_408(dial: Dial, app: Answering, begun: bytes) -> None:
    line = dial()
    line.sendall(begun)
    answer = rest(line)
    assert status(answer) == 408
    assert b"application/problem+json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 408
    assert app.begun == []


@pytest.mark.parametrize(("begun", "drop"), [(b"", b"\r\n"), (b"GET / HTTP/1.1\r\nHost: t\r\nX-A: ", b"b")])
def test_a_header_sent_byte_by_byte_is_cut_off_while_it_is_still_being_sent(
    dial: Dial, begun: bytes, drop: bytes
) -> None:
    line, over, all_sent = dial(), threading.Event(), threading.Event()

    def drip() -> None:
        for _ in range(2_000):
            try:
                line.sendall(drop)
            except OSError:
                return
            if over.wait(0.01):
                return
        all_sent.set()

    line.sendall(begun)
    thread = threading.Thread(target=drip)
    thread.start()
    rest(line)
    over.set()
    thread.join()
    assert not all_sent.is_set()


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_stops_is_408_and_the_app_sees_a_disconnected_client(
    dial: Dial, app: Answering, framing: bytes
) -> None:
    line = dial()
    line.sendall(b"POST / HTTP/1.1\r\nHost: t\r\n" + framing + b"\r\n\r\n1")
    assert status(rest(line)) == 408
    assert app.left.wait(5)
    assert app.cut == 408, "for the log: a client that disconnects on its own looks the same"


def test_a_body_that_comes_fast_enough_has_the_time_it_needs_up_to_a_bound(dial: Dial) -> None:
    def post(part: bytes, parts: int) -> bytes:
        line = dial()
        line.sendall(
            b"POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (len(part) * parts)
        )
        try:
            for _ in range(parts):
                line.sendall(part)
                time.sleep(0.05)  # the pace is what this is about
        except OSError:
            pass
        return rest(line)

    # 4,000 bytes a second, for longer than a silent one would have
    assert status(post(b"x" * 200, 20)) == 200
    # as fast, but beyond the bound of the whole
    assert status(post(b"x" * 200, 60)) == 408


def test_the_rest_of_a_body_that_was_answered_is_not_waited_for_without_end(dial: Dial) -> None:
    line = dial()
    line.sendall(b"POST /unread HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n1")
    answer = rest(line)
    assert (status(answer), answer.count(b"HTTP/1.1")) == (200, 1)


def test_the_rest_of_a_body_that_was_answered_is_not_read_without_end(dial: Dial) -> None:
    line = dial()
    line.sendall(b"POST /unread HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
    sent = 0
    with pytest.raises(OSError):
        while sent < 100_000_000:
            line.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            sent += 65_536
    assert sent < 50_000_000  # the kernels on the way hold some


def test_an_answer_that_nobody_reads_is_not_kept(dial: Dial, caplog: pytest.LogCaptureFixture) -> None:
    line = dial()
    line.sendall(b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n")
    deadline = time.monotonic() + 60  # only against hanging
    while "did not read its answer" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(rest(line)) < 40_000_000, "what the kernels held, and no more"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET /" + b"a" * 3_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414),
        (b"GET /" + b"a" * 2_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 200),
        (b"GET /?" + b"a" * 3_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: t\r\n" + b"X-A: b\r\n" * 20 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: t\r\n" + b"X-A: b\r\n" * 19 + b"\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX-A: " + b"b" * 5_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX-A: " + b"b" * 3_000 + b"\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: t\r\n" + b"b" * 5_000 + b": c\r\n\r\n", 431),
        (
            b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
            + b"X-A: b\r\n" * 40
            + b"\r\n",
            431,
        ),
        (CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n", 400),
        (CHUNKED + (b"40\r\n" + b"x" * 64 + b"\r\n") * 20_000 + b"0\r\n\r\n", 200),
        (b"GET http://t HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"CONNECT t:1 HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999999\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX-A\x00: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : t\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: t\n\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nHost: t\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX-A: b\r\nhOST: u\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t, u\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t/x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: me@t\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: t:8000\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\nHost: t\r\nHost: u\r\n\r\n", 400),
        (b"GET http://t/ HTTP/1.1\r\nHost: t\r\n\r\n", 200),
        (b"GET http://T:80/ HTTP/1.1\r\nHost: t:80\r\n\r\n", 200),
        (b"GET http://u/ HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET http://u?http://t/ HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET http://t@u/ HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /?next=http://u/ HTTP/1.1\r\nHost: t\r\n\r\n", 200),
        (b"GET //u/ HTTP/1.1\r\nHost: t\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost\t: t\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n Host: t\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX-A: b\r\n Host: u\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\n u\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1, 1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: +1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length : 1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n", 200),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"*1\r\n$4\r\nPING\r\n", 400),
    ],
)
def test_what_is_too_much_or_no_http_is_told_so_and_ends(dial: Dial, request_: bytes, expected: int) -> None:
    line = dial()
    line.sendall(request_)
    if expected == 200:
        line.shutdown(socket.SHUT_WR)
    answer = rest(line)
    assert status(answer) == expected
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_trailer_does_not_become_a_field_of_the_header(dial: Dial, app: Answering) -> None:
    line = dial()
    line.sendall(
        b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\nHost: u\r\n\r\n"
    )
    line.shutdown(socket.SHUT_WR)
    assert status(rest(line)) == 200
    assert [name for name, _ in app.headers] == [b"host", b"transfer-encoding"]


def test_the_next_request_of_a_connection_is_looked_at_as_well(dial: Dial) -> None:
    line = dial()
    line.sendall(GET)
    assert line.recv(65_536).startswith(b"HTTP/1.1 200")
    line.sendall(b"GET / HTTP/1.1\r\n\r\n" + GET)
    answer = rest(line)
    assert (status(answer), answer.count(b"HTTP/1.1 ")) == (400, 1)


@pytest.mark.parametrize(
    "endless",
    [
        (b"GET / HTTP/1.1\r\nHost: t\r\nX-A: ", b"b" * 65_536),
        (b"GET /", b"a" * 65_536),
        (b"GET / HTTP/1.1\r\nHost: t\r\n", b"b" * 65_536),
        (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 65_536),
        (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: ", b"b" * 65_536),
        (b"", GET * 2_000),
        (b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n", GET * 2_000),
    ],
)
def test_whatever_has_no_end_is_ended(dial: Dial, endless: tuple[bytes, bytes]) -> None:
    line, sent = dial(), 0
    line.sendall(endless[0])
    with pytest.raises(OSError):
        while sent < 100_000_000:
            line.sendall(endless[1])
            sent += len(endless[1])
    assert sent < 50_000_000


def test_requests_one_after_the_other_and_a_few_at_once_are_answered_in_order(dial: Dial) -> None:
    line = dial()
    for _ in range(3):
        line.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc")
        assert line.recv(65_536).endswith(b"\r\n\r\n3")
    line.sendall(
        b"".join(
            b"POST / HTTP/1.1\r\nHost: t\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n"
            % (b"close" if n == 4 else b"keep-alive", n)
            + b"x" * n
            for n in range(1, 5)
        )
    )
    bodies = [part.rpartition(b"\r\n\r\n")[2] for part in rest(line).split(b"HTTP/1.1 200 OK")]
    assert bodies == [b"", b"1", b"2", b"3", b"4"]


def test_an_answer_that_takes_long_is_waited_for(dial: Dial, app: Answering) -> None:
    line = dial()
    line.sendall(b"GET /slow HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
    threading.Timer(WAIT * 3, app.go.set).start()
    assert status(rest(line)) == 200


def test_an_upgrade_that_is_not_spoken_is_answered_as_if_it_had_not_been_asked_for(dial: Dial) -> None:
    line = dial()
    line.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")
    assert status(line.recv(65_536)) == 200


def test_beyond_the_most_connections_the_one_that_waited_longest_goes_and_a_new_one_is_answered(dial: Dial) -> None:
    idle = [dial() for _ in range(SMALL.connections)]
    for line in idle:
        line.settimeout(10)
    late = dial()
    late.sendall(GET)
    assert status(late.recv(65_536)) == 200
    assert rest(idle[0]) == b""


def test_a_flood_of_junk_is_one_line_in_the_log(dial: Dial, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        line = dial()
        line.sendall(b"junk\r\n\r\n")
        assert status(rest(line)) == 400
    lines = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == 1 and "400" in lines[0].getMessage()
