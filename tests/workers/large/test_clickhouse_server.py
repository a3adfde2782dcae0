"""The conversation with a ClickHouse server: who is asked as whom, what is always said, and what is cleared away.

tests/engines runs the statements themselves.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from listening import free_port
from request_bodies import body_of

from service.errors import Refused
from service.settings import read_settings
from workers.audit.engines import sweeps_by
from workers.large.clickhouse_server import ClickHouseServer, server_of
from workers.large.clickhouse_tables import ClickHouseTables, ClickHouseWindows

PASSWORD = "p@ss/wörd\n"
Answer = Callable[[str], tuple[int, bytes]]


class Requests(list[tuple[str, dict[str, str], str]]):
    """What a server was asked: statement, parameters, Authorization."""

    @property
    def statements(self) -> list[str]:
        return [statement for statement, *_ in self]


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[ClickHouseServer, Requests]]:
    """A server of this machine that answers every statement so; a status of 0 breaks the connection."""
    asked = Requests()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parameters = {name: value for name, [value] in parse_qs(urlsplit(self.path).query).items()}
            body = body_of(self)
            statement = parameters.pop("query", None) or body.decode()
            asked.append((statement, parameters, self.headers["Authorization"]))
            status, content = answer(statement)
            if status == 0:
                self.connection.close()
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield ClickHouseServer("127.0.0.1", server.server_address[1], False, "reader", PASSWORD), asked
        finally:
            server.shutdown()


def fine(statement: str) -> tuple[int, bytes]:
    return 200, b""


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("clickhouse://db.example", ("db.example", 8123, False, "default", "")),
        ("clickhouse://ann@db.example:9123/", ("db.example", 9123, False, "ann", "")),
        ("clickhouse://ann:p%40ss%3A@db.example:8443", ("db.example", 8443, True, "ann", "p@ss:")),
        ("clickhouse://db.example?secure=true", ("db.example", 8443, True, "default", "")),
        ("clickhouse://[::1]:8123", ("::1", 8123, False, "default", "")),
    ],
)
def test_a_url_names_host_port_tls_and_user(url: str, found: tuple[object, ...]) -> None:
    server = server_of(url, {})
    assert (server.host, server.port, server.tls, server.user, server.password) == found


def test_the_environment_stands_for_what_a_url_leaves_out() -> None:
    told = {"CLICKHOUSE_USER": "eve", "CLICKHOUSE_PASSWORD": "secret"}
    assert [
        (s.user, s.password) for s in (server_of(f"clickhouse://{u}h", told) for u in ("", "ann@", "ann:own@"))
    ] == [
        ("eve", "secret"),
        ("ann", "secret"),
        ("ann", "own"),
    ]


@pytest.mark.parametrize(
    "rest", ["", "host:port", "host:99999", "host/news", "host?compress=1", "ho st", "host#x", "[::1", "host?secure"]
)
def test_another_url_is_refused_without_its_password(rest: str) -> None:
    with pytest.raises(Refused, match="clickhouse://USER@HOST:8123") as refused:
        server_of(f"clickhouse://ann:hunter2@{rest}", {})
    assert "hunter2" not in str(refused.value)


def test_a_database_of_its_own_is_dropped_at_the_end_and_every_statement_says_what_it_means() -> None:
    with answering(fine) as (server, asked):
        with ClickHouseTables(server) as tables:
            tables.store("e", "select 1 as one")
            tables.load("chosen", {"r": np.array([-5, 2**62])})
            tables.drop("e")
        made, *_, dropped = asked.statements
        name = made.removeprefix("create database ")
        assert name.startswith("brigadewatch_") and dropped == f"drop database if exists {name} sync"
        assert {parameters.get("database") for _, parameters, _ in asked[1:-1]} == {name}
        for _, parameters, authorization in asked:
            assert parameters["join_use_nulls"] == "0" and parameters["result_overflow_mode"] == "throw"
            assert base64.b64decode(authorization.split()[1]).decode() == f"reader:{PASSWORD}"
        with ClickHouseTables(server):
            assert asked.statements[-1].startswith("create database") and asked.statements[-1] != made


def test_after_an_error_the_database_is_dropped_and_the_error_is_the_server_s() -> None:
    def answer(statement: str) -> tuple[int, bytes]:
        return (
            (500, b"Code: 241. DB::Exception: Memory limit exceeded\nStack trace") if " as " in statement else fine("")
        )

    with answering(answer) as (server, asked):
        said = r"refused a statement: Code: 241\. DB::Exception: Memory limit exceeded$"
        with pytest.raises(Refused, match=said), ClickHouseTables(server) as tables:
            tables.store("e", "select 1 as one")
        assert asked.statements[-1].startswith("drop database")


def test_a_server_that_ends_in_the_middle_is_an_error_and_names_no_password() -> None:
    def answer(statement: str) -> tuple[int, bytes]:
        return (0, b"") if " as " in statement else fine("")

    with (
        answering(answer) as (server, _),
        pytest.raises(Refused, match=r"ClickHouse at 127\.0\.0\.1:\d+ did not answer") as refused,
        ClickHouseTables(server) as tables,
    ):
        tables.store("e", "select 1 as one")
    assert "ss/w" not in str(refused.value) + repr(server)


@pytest.mark.parametrize("content", [b"", b"DB::Exception: what", b"\xff\xff\xff\xff\x10\x00\x00\x00"])
def test_a_result_that_is_cut_or_is_none_is_an_error(content: bytes) -> None:
    with (
        answering(lambda statement: (200, content)) as (server, _),
        pytest.raises(Refused, match="cannot be read as Arrow"),
        ClickHouseTables(server) as tables,
    ):
        list(tables.rows("select 1 as one"))


def test_what_nobody_waits_for_is_ended_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(fine) as (server, asked):
        with pytest.raises(KeyboardInterrupt), ClickHouseTables(server) as tables:
            send = tables._connection._client._transport.handle_request

            def interrupted(request: object) -> object:
                monkeypatch.setattr(tables._connection._client._transport, "handle_request", send)
                raise KeyboardInterrupt

            monkeypatch.setattr(tables._connection._client._transport, "handle_request", interrupted)
            tables.store("e", "select 1 as one")
        assert [s.split(" where ")[0] for s in asked.statements[1:2]] == ["kill query"]
        assert asked.statements[-1].startswith("drop database")


def test_a_server_is_asked_before_files_are_read() -> None:
    nobody = ClickHouseServer("127.0.0.1", free_port(), False, "default", "")
    with pytest.raises(Refused, match="did not answer"):
        ClickHouseWindows(nobody, 1).check()
    with pytest.raises(Refused, match="did not answer"):
        sweeps_by(f"clickhouse://127.0.0.1:{nobody.port}", read_settings(environ={}), processes=1)
