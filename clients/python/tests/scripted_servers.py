"""Servers on loopback that answer as a test tells them, or misbehave below HTTP."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

ASSESSMENT = {
    "target_id": "t",
    "complaints": 12,
    "independent_complaints": 4.333333,
    "coordinated_probability": 0.83,
    "recommendation": "hold",
    "clusters": [{"id": "k-1", "complaints": 9, "probability": 0.97, "unfounded_probability": 0.86}],
    "without_clusters": {"k-1": 12.0},
    "as_of": "2021-12-23T14:03:00Z",
    "pending": False,
}
RECEIPT = {"accepted": 1, "rejected": [], "rejected_count": 0, "position": 41}


@dataclass
class Seen:
    """A request as it came in, inflated."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """Answers `script`'s next entry, the last one for ever: (status, headers, document or bytes)."""

    url: str = ""
    script: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)

    def says(self, *script: tuple[int, dict[str, str], Any]) -> Scripted:
        self.script = list(script)
        return self


@contextlib.contextmanager
def scripted_server() -> Iterator[Scripted]:
    """Such a server while the block runs."""
    state = Scripted(script=[(200, {}, ASSESSMENT)])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            state.connections.add(self.client_address)

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            state.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, headers, document = state.script.pop(0) if len(state.script) > 1 else state.script[0]
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that went away

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with scripted_server() as state:
        yield state


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket, threading.Event], None]], str]]:
    """Makes a server whose every connection is given to a function, with an event that says when to stop; its URL."""
    over = threading.Event()
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def make(behave: Callable[[socket.socket, threading.Event], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def connection(sock: socket.socket) -> None:
            with sock, contextlib.suppress(OSError):  # the client goes away: that is what these are for
                behave(sock, over)

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                thread = threading.Thread(target=connection, args=(sock,), daemon=True)
                threads.append(thread)
                thread.start()

        thread = threading.Thread(target=accept, daemon=True)
        threads.append(thread)
        thread.start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield make
    over.set()
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


@pytest.fixture
def nobody() -> str:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
