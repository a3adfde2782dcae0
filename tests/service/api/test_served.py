"""Over a real socket: what only a server shows, such as paths as they are sent and clients that leave half-way."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from redis import Redis
from sqlalchemy import Engine

from service.app import create_app
from service.settings import Settings, read_settings
from service.storage.accounts.tenants import create_key, create_tenant
from service.storage.redis_store.redis_identity import agree


@pytest.fixture
def served(settings: Settings, engine: Engine, valkey_url: str) -> Iterator[tuple[int, str]]:
    """(port, key) of the API behind uvicorn, on a real Redis server."""
    create_tenant(engine, "t", 1)
    key = create_key(engine, "t", ("ingest", "read"), "", 1)
    with Redis.from_url(valkey_url) as client:
        agree(engine, client, "the tests")
    app = create_app(read_settings(settings.data, {"REDIS_URL": valkey_url}), engine=engine)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1], key
        finally:
            server.should_exit = True
            thread.join(20)
    assert not thread.is_alive()


def call(
    served: tuple[int, str], method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, Any], bytes]:
    port, key = served
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {"Authorization": f"Bearer {key}", **headers})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def test_paths_reach_the_routes_as_they_were_sent(served: tuple[int, str]) -> None:
    for path, identifier in (
        ("..", ".."),
        (".", "."),
        ("%2e%2E", ".."),
        ("a%2Fbrief", "a/brief"),
        ("assess", "assess"),
        ("%25", "%"),
        ("%F0%9F%98%80", "😀"),
        ("a%20b+c", "a b+c"),
    ):
        status, _, body = call(served, "GET", f"/v1/targets/{path}?threshold=3")
        assert (status, json.loads(body)["target_id"]) == (200, identifier)
    # a segment more is another call
    assert json.loads(call(served, "GET", "/v1/targets/a/brief")[2])["target_id"] == "a"
    assert call(served, "GET", "/v1/targets/a/brief/b")[0] == 404
    assert call(served, "GET", "/v1/targets/%FF")[0] == 422


def test_head_has_headers_and_no_body(served: tuple[int, str]) -> None:
    status, headers, body = call(served, "HEAD", "/v1/targets/a")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    status, headers, body = call(served, "HEAD", "/v1/nothing")
    assert (status, headers["content-type"], body) == (404, "application/problem+json", b"")


def test_a_refused_large_body_gets_its_answer(served: tuple[int, str]) -> None:
    status, headers, _ = call(
        served, "POST", "/v1/complaints", b" " * (9 * 1024 * 1024), **{"Content-Type": "application/json"}
    )
    assert (status, headers["content-type"]) == (413, "application/problem+json")


def test_a_chunked_body_is_bounded_while_it_comes(served: tuple[int, str]) -> None:
    port, key = served
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    parts = (b"x" * 1024 * 1024 for _ in range(9))
    connection.request(
        "POST",
        "/v1/complaints",
        parts,
        {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"},
        encode_chunked=True,
    )
    assert connection.getresponse().status == 413
    connection.close()


def test_a_client_that_leaves_half_way_harms_nobody(served: tuple[int, str]) -> None:
    port, key = served
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(
                f"POST /v1/complaints HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {key}\r\nContent-Type:"
                " application/json\r\nContent-Length: 1000\r\n\r\n{".encode()
            )
            time.sleep(0.02)  # long enough for the request to have begun
    body = json.dumps(
        {"id": "c", "occurred_at": "2021-12-23T14:02:11Z", "reporter": {"id": "r"}, "target": {"id": "t"}}
    ).encode()
    status, _, content = call(served, "POST", "/v1/complaints", body, **{"Content-Type": "application/json"})
    assert (status, json.loads(content)["position"]) == (202, 1)
