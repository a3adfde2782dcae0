"""Which servers are refused, which only warned about, and what is said where a server does not tell."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis_process import RedisProcess
from sqlalchemy import Engine
from up import environment

from service.settings import Settings
from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store.server_check import (
    CheckOnce,
    ServerFacts,
    UnfitServer,
    all_warnings,
    examine,
    judge,
    require_fit,
)

FINE: dict[str, Any] = {
    "redis_version": "6.2.0",
    "redis_mode": "standalone",
    "role": "master",
    "cluster_enabled": 0,
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
}
Start = Callable[..., RedisProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers with settings of their own."""
    made: list[RedisProcess] = []

    def begin(*settings: str) -> RedisProcess:
        made.append(RedisProcess(tmp_path / f"server-{len(made)}", *settings).start())
        return made[-1]

    yield begin
    for server in made:
        server.kill()


@contextmanager
def client_of(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url) as client:
        yield client


@pytest.mark.parametrize("version", ["6.2.0", "6.2.18", "7.0.15", "8.2.3", "10.0.0", "255.255.255"])
def test_the_minimum_and_what_is_newer_fits(version: str) -> None:
    report = judge(ServerFacts(FINE | {"redis_version": version}, appendfsync="always"))
    assert (report.problems, report.warnings, report.unknown) == ((), (), ())


@pytest.mark.parametrize("version", ["5.0.14", "6.0.16", "6.1.240", "2.8"])
def test_what_is_older_is_refused_with_what_was_found_what_is_needed_and_the_way_out(version: str) -> None:
    (problem,) = judge(ServerFacts(FINE | {"redis_version": version}, appendfsync="always")).problems
    assert f"Redis {version}" in problem
    assert "6.2 or newer" in problem
    assert "upgrade it, or unset REDIS_URL" in problem


def test_a_fork_is_called_by_its_own_name_and_judged_by_the_redis_that_it_equals() -> None:
    for own, name in (("valkey_version", "Valkey 8.1.1"), ("redict_version", "Redict 8.1.1")):
        report = judge(ServerFacts(FINE | {"redis_version": "7.2.4", own: "8.1.1"}, appendfsync="always"))
        assert (report.name, report.problems) == (name, ())
    hidden = judge(ServerFacts(hello={"server": "redict", "version": "1.0.0", "role": "master", "mode": "standalone"}))
    assert hidden.problems == (), "its own count says nothing about Redis'"


def test_where_info_is_forbidden_hello_tells_the_version_the_mode_and_the_role() -> None:
    told = {"server": "redis", "version": "6.0.16", "mode": "cluster", "role": "replica"}
    assert len(judge(ServerFacts(hello=told)).problems) == 3
    report = judge(ServerFacts(hello=told | {"version": "7.0.0", "mode": "standalone", "role": "master"}))
    assert report.problems == ()
    assert report.unknown == ("maxmemory-policy", "appendonly", "appendfsync")
    assert "make sure that it has" in all_warnings(report)[0]


def test_a_server_that_tells_nothing_is_used_and_all_of_it_is_said_to_be_unknown() -> None:
    report = judge(ServerFacts())
    assert report.problems == ()
    assert len(report.unknown) == 6


@pytest.mark.parametrize(
    ("changed", "fsync", "words"),
    [
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 268435456}, "always", "at 256 MiB acknowledged complaints"),
        ({"maxmemory_policy": "allkeys-random", "maxmemory": 0}, "always", "as soon as maxmemory is set"),
        ({"maxmemory_policy": "volatile-lru", "maxmemory": 1}, "always", "leases and marks of webhook deliveries"),
        ({"aof_enabled": 0}, "always", "the append-only file is off"),
        ({"aof_enabled": 0}, None, "the append-only file is off"),
        ({}, "everysec", "of up to a second are lost"),
        ({}, "no", "of some 30 seconds are lost"),
    ],
)
def test_what_may_lose_complaints_is_a_warning(changed: dict[str, Any], fsync: str | None, words: str) -> None:
    report = judge(ServerFacts(FINE | changed, appendfsync=fsync))
    assert report.problems == ()
    (warning,) = all_warnings(report)
    assert words in warning


def test_a_sentinel_and_a_cluster_are_refused() -> None:
    assert "is a Sentinel" in judge(ServerFacts(FINE | {"redis_mode": "sentinel"})).problems[0]
    assert "cluster-enabled no" in judge(ServerFacts(FINE | {"cluster_enabled": 1})).problems[0]


def test_the_server_of_the_tests_fits(valkey_url: str) -> None:
    with client_of(valkey_url) as client:
        assert all_warnings(require_fit(client)) == []


def test_a_real_replica_is_refused_with_the_address_of_its_primary(start: Start) -> None:
    primary = start()
    replica = start("--replicaof", "127.0.0.1", str(primary.port))
    with client_of(replica.url) as client, pytest.raises(UnfitServer, match=f"replica of 127.0.0.1:{primary.port}"):
        require_fit(client)
    primary.kill()
    with client_of(replica.url) as client, pytest.raises(UnfitServer, match="replica of"):
        require_fit(client)


def test_a_real_cluster_node_is_refused(start: Start) -> None:
    with client_of(start("--cluster-enabled", "yes").url) as client, pytest.raises(UnfitServer, match="cluster mode"):
        require_fit(client)


def test_a_real_server_that_evicts_and_writes_nothing_is_warned_about(start: Start) -> None:
    server = start("--maxmemory-policy", "allkeys-lru", "--appendonly", "no")
    with client_of(server.url) as client:
        assert len(require_fit(client).warnings) == 2


def test_a_user_who_may_not_ask_gets_a_server_of_unknown_settings(start: Start) -> None:
    server = start()
    with client_of(server.url) as client:
        client.acl_setuser(
            "few", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-info", "-config"]
        )
    with client_of(server.url.replace("redis://", "redis://few:x@")) as client:
        facts = examine(client)
        assert facts.info == {}
        report = require_fit(client)
    assert report.unknown == ("maxmemory-policy", "appendonly", "appendfsync")
    assert report.name.split()[0] in ("Redis", "Valkey", "Redict")


def test_a_user_who_may_not_run_scripts_is_refused(start: Start) -> None:
    server = start()
    with client_of(server.url) as client:
        client.acl_setuser("few", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-eval"])
    few = server.url.replace("redis://", "redis://few:x@")
    with client_of(few) as client, pytest.raises(UnfitServer, match="EVAL, EVALSHA and SCRIPT LOAD"):
        require_fit(client)


def test_a_server_that_does_not_know_hello_is_too_old() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with connection:
                    while connection.recv(1_000):
                        connection.sendall(b"-ERR unknown command `HELLO`, with args beginning with: `3`,\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        with client_of(url) as client, pytest.raises(UnfitServer, match=r"Redis 6.2 or newer"):
            require_fit(client)
        listener.shutdown(socket.SHUT_RDWR)


def test_it_is_judged_at_its_first_answer_and_not_again(start: Start) -> None:
    server = start("--cluster-enabled", "yes")
    with client_of(server.url) as client:
        check = CheckOnce(client)
        server.stop()
        with pytest.raises(redis.ConnectionError):
            check()
        server.start()
        with pytest.raises(UnfitServer):
            check()
        server.stop()
        server.settings = ()
        server.start()
        check()
        server.stop()
        check()


PORTS = ("--port", "0", "--ops-port", "0")


def test_no_process_starts_on_a_server_that_cannot_be_used(start: Start, engine: Engine, settings: Settings) -> None:
    server = start("--cluster-enabled", "yes")
    create_tenant(engine, "paper", 0)
    for words in (("up", *PORTS), ("api", *PORTS), ("worker", "ingest"), ("clock",), ("rebuild",)):
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", *words, "--data", str(settings.data)],
            env=environment(REDIS_URL=server.url, BRIGADEWATCH_SECRET_KEY="5e" * 32),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, (words, done.stderr)
        assert done.stderr.count("runs in cluster mode") == 1, words
        assert "Traceback" not in done.stderr, words
