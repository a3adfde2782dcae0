"""A ClickHouse server over its HTTP interface: who it is, and statements sent to it.

Its own client for Python is not needed for that: a statement is one POST, and its answer one stream.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import httpx

from service.errors import Refused

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SCHEME = "clickhouse://"
_FORM = "clickhouse://USER@HOST:8123, or clickhouse://USER@HOST:8443 with TLS"
_HOST = re.compile(r"[\w.:-]+")
_TLS_PORTS = (443, 8443)
_CONNECT_SECONDS = 10
_MOST_OF_AN_ERROR = 300  # characters

# Whatever the profile of a server's user says, a statement means the same, and no result is cut without a word.
_MEANINGS: dict[str, str | int] = {
    "async_insert": 0,
    "aggregate_functions_null_for_empty": 0,
    "allow_experimental_analyzer": 1,
    "data_type_default_nullable": 0,
    "final": 0,
    "insert_null_as_default": 1,
    "join_default_strictness": "ALL",
    "join_use_nulls": 0,
    "limit": 0,
    "offset": 0,
    "prefer_column_name_to_alias": 1,
    "union_default_mode": "DISTINCT",
    "use_query_cache": 0,
    **dict.fromkeys(
        (
            f"{of}_overflow_mode"
            for of in ("distinct", "group_by", "join", "read", "result", "set", "sort", "timeout", "transfer")
        ),
        "throw",
    ),
}


@dataclass(frozen=True, slots=True)
class ClickHouseServer:
    """Where a server is, and who asks."""

    host: str
    port: int
    tls: bool
    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def server_of(url: str, environment: Mapping[str, str]) -> ClickHouseServer:
    """The server that a URL names; CLICKHOUSE_USER and CLICKHOUSE_PASSWORD stand for what it leaves out.

    Raises Refused, without the URL: a password may be in it.
    """
    try:
        found = urlsplit(url)
        port, query = found.port, parse_qs(found.query, strict_parsing=bool(found.query))
    except ValueError:
        raise Refused(f"the address of the ClickHouse server is not valid: write {_FORM}") from None
    if (
        not _HOST.fullmatch(found.hostname or "")
        or found.path not in ("", "/")
        or found.fragment
        or query.keys() - {"secure"}
    ):
        raise Refused(
            f"the address of the ClickHouse server has to name a host and nothing behind the port: write {_FORM}. The"
            " tables are made in a database of their own"
        )
    secure = query.get("secure", [""])[-1].lower() in ("1", "true", "yes")
    return ClickHouseServer(
        found.hostname or "",
        port or (8443 if secure else 8123),
        secure or port in _TLS_PORTS,
        unquote(found.username) if found.username else environment.get("CLICKHOUSE_USER", "default"),
        unquote(found.password) if found.password else environment.get("CLICKHOUSE_PASSWORD", ""),
    )


class ClickHouseConnection:
    """Statements to one server. Raises Refused with what the server says, and where it does not answer."""

    def __init__(self, server: ClickHouseServer) -> None:
        self._server = server
        self._client = httpx.Client(
            base_url=f"{'https' if server.tls else 'http'}://{server}",
            auth=(server.user, server.password),  # encoded: no character of a password ends up in an error
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),  # a statement may take hours
            transport=httpx.HTTPTransport(socket_options=_kept_alive()),
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def run(self, statement: str, database: str | None = None, content: Iterable[bytes] | None = None) -> None:
        """Run a statement without a result; `content` is what it inserts."""
        with self._answer(statement, database, content) as response:
            response.read()

    @contextmanager
    def stream(self, statement: str, database: str) -> Iterator[io.RawIOBase]:
        """Run a statement, and read its result as it comes."""
        with self._answer(statement, database, None) as response:
            yield _Body(response.iter_bytes())

    @contextmanager
    def _answer(
        self, statement: str, database: str | None, content: Iterable[bytes] | None
    ) -> Iterator[httpx.Response]:
        number = uuid4().hex
        # A result is sent when it is complete, so that what fails halfway has the status of an error.
        settings = {**_MEANINGS, "query_id": number, "wait_end_of_query": 1}
        if database is not None:
            settings["database"] = database
        body: Iterable[bytes] | bytes = statement.encode()
        if content is not None:
            settings["query"], body = statement, content
        try:
            with self._client.stream("POST", "/", params=settings, content=body) as response:
                if response.status_code != httpx.codes.OK:
                    raise Refused(f"ClickHouse at {self._server} refused a statement: {_said(response)}")
                yield response
        except httpx.HTTPError as error:
            raise Refused(
                f"ClickHouse at {self._server} did not answer: {str(error) or type(error).__name__}"
            ) from None
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            self._end(number)
            raise

    def _end(self, number: str) -> None:
        """What nobody waits for any more does not go on there."""
        with suppress(httpx.HTTPError):
            self._client.post("/", content=f"kill query where query_id = '{number}' async", timeout=_CONNECT_SECONDS)


class _Body(io.RawIOBase):
    """The bytes of an answer as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._left = parts, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = memoryview(part)
        into = memoryview(buffer).cast("B")
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _said(response: httpx.Response) -> str:
    """The first line of what it says."""
    text = response.read().decode("utf-8", "replace").strip()
    return (text.splitlines() or [f"status {response.status_code}"])[0][:_MOST_OF_AN_ERROR]


def _kept_alive() -> list[tuple[int, int, int]]:
    """Nothing is sent while a statement runs: a host that is gone is noticed by the system's own probes."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    if hasattr(socket, "TCP_KEEPIDLE"):
        options += [(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30)]
    return options
