"""The command line: exit codes, what goes to stdout, fast help, and `up` with its processes."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis
from redis_process import RedisProcess
from sqlalchemy import delete, update
from up import Up, environment

from service import wall_clock
from service.commands.histories import spread_outcomes
from service.settings import read_settings
from service.storage.accounts.tenants import find_key
from service.storage.sql.engine import open_database, write
from service.storage.sql.schema import redis_users

COMMANDS = (
    "demo",
    "up",
    "api",
    "worker",
    "clock",
    "replay",
    "audit",
    "rebuild",
    "redis",
    "openapi",
    "tenants",
    "keys",
    "policy",
    "trusted-flaggers",
    "dead-letters",
    "secrets",
    "users",
)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**variables),
    )


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "data")


def test_help_names_every_command_without_importing_heavy_libraries() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(re.search(rf"\b{command}\b", done.stdout) for command in COMMANDS)
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys, service.cli; print([m for m in ('numpy', 'scipy', 'sqlalchemy', 'fastapi', 'rq',"
                " 'workers') if m in sys.modules])"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("keys", "create", "--tenant", "t"),
        ("keys", "create", "--tenant", "t", "--scope", "everything"),
        ("worker", "all"),
        ("up", "--port", "70000"),
        ("replay", "missing.ndjson", "--url", "http://x", "--key", "k"),
        ("dead-letters", "drop"),
        ("tenants", "set", "t"),
        ("tenants", "set", "t", "--rate", "fast"),
        ("tenants", "set", "t", "--retention", "36h"),
        ("tenants", "set", "t", "--keep-text", "maybe"),
        ("replay", __file__, "--url", "nonsense", "--key", "k"),
        ("replay", __file__, "--url", "http://127.0.0.1:1v1", "--key", "k"),
        ("replay", __file__, "--url", "http://a..b", "--key", "k"),
    ],
)
def test_wrong_usage_exits_with_2_and_an_error_on_stderr(arguments: tuple[str, ...], data: str) -> None:
    done = run(*arguments, BRIGADEWATCH_DATA=data)
    assert done.returncode == 2, done.stderr
    assert done.stderr
    assert done.stdout == ""


def test_a_new_key_is_alone_on_stdout_and_valid_at_once(data: str) -> None:
    unknown = run("keys", "create", "--tenant", "news", "--scope", "read", "--data", data)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert data in unknown.stderr and not Path(data).exists()
    assert run("tenants", "create", "other", "--data", data).returncode == 0
    unknown = run("keys", "create", "--tenant", "news", "--scope", "read", "--data", data)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "news" in unknown.stderr
    assert "Traceback" not in unknown.stderr
    made = run(
        "keys",
        "create",
        "--tenant",
        "news",
        "--create",
        "--scope",
        "read",
        "--scope",
        "ingest",
        "--name",
        "editors",
        "--data",
        data,
    )
    assert made.returncode == 0
    assert re.fullmatch(r"bw_\S+\n", made.stdout)
    engine = open_database(read_settings(Path(data), {}).database_url)
    record = find_key(engine, made.stdout.strip())
    engine.dispose()
    assert record is not None
    assert (record.tenant, record.scopes) == ("news", {"read", "ingest"})
    assert stat.S_IMODE((Path(data) / "secret.key").stat().st_mode) == 0o600


def test_a_tenant_is_created_once_and_listed(data: str) -> None:
    assert run("tenants", "create", "news", "--data", data).returncode == 0
    again = run("tenants", "create", "news", "--data", data)
    assert again.returncode == 1
    assert "already exists" in again.stderr
    assert run("tenants", "create", "No Name", "--data", data).returncode == 2
    assert run("tenants", "list", "--data", data).stdout == "news\n"


def test_a_command_that_needs_redis_names_the_variable(data: str) -> None:
    assert run("tenants", "create", "default", "--data", data).returncode == 0
    done = run("dead-letters", "retry", "--data", data)
    assert done.returncode == 1
    assert "REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_environment_variable_that_is_not_a_number_exits_with_2(data: str) -> None:
    done = run("tenants", "list", "--data", data, BRIGADEWATCH_MAX_BODY_BYTES="many")
    assert done.returncode == 2
    assert "BRIGADEWATCH_MAX_BODY_BYTES" in done.stderr


@pytest.mark.parametrize(
    "option", [("--rate", "0"), ("--rate", "nan"), ("--retention", "1d"), ("--retention", "99999d"), ()]
)
def test_a_tenant_setting_out_of_range_exits_with_2_and_changes_nothing(option: tuple[str, ...], data: str) -> None:
    assert run("tenants", "create", "news", "--data", data).returncode == 0
    before = run("tenants", "show", "news", "--data", data).stdout
    done = run("tenants", "set", "news", *option, "--data", data)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr and done.stderr
    assert run("tenants", "show", "news", "--data", data).stdout == before


@pytest.mark.parametrize("process", [("api",), ("worker", "deliver"), ("clock",)])
def test_a_process_without_a_secret_key_refuses_to_start_and_creates_none(process: tuple[str, ...], data: str) -> None:
    done = run(*process, "--data", data, REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert "set BRIGADEWATCH_SECRET_KEY" in done.stderr
    assert not Path(data).exists()


def test_a_malformed_secret_key_exits_with_2_and_is_not_printed(data: str) -> None:
    done = run("tenants", "list", "--data", data, BRIGADEWATCH_SECRET_KEY="swordfish")
    assert done.returncode == 2
    assert "BRIGADEWATCH_SECRET_KEY" in done.stderr
    assert "swordfish" not in done.stderr


def test_stored_secrets_are_re_encrypted_with_the_first_key(data: str) -> None:
    old, new = "0a" * 32, "0b" * 32
    secret = Path(data).parent / "secret"
    secret.write_text("hook-secret\n")
    made = run(
        "sources",
        "add",
        "--tenant",
        "default",
        "--platform",
        "discourse",
        "--secret-file",
        str(secret),
        "--data",
        data,
        BRIGADEWATCH_SECRET_KEY=old,
    )
    assert (run("tenants", "create", "default", "--data", data).returncode, made.returncode) == (0, 1)
    assert (
        run(
            "sources",
            "add",
            "--tenant",
            "default",
            "--platform",
            "discourse",
            "--secret-file",
            str(secret),
            "--data",
            data,
            BRIGADEWATCH_SECRET_KEY=old,
        ).returncode
        == 0
    )
    refused = run("secrets", "rotate", "--data", data, BRIGADEWATCH_SECRET_KEY=new)
    assert refused.returncode == 1
    assert "no key decrypts sources.secret of src_" in refused.stderr
    done = run("secrets", "rotate", "--data", data, BRIGADEWATCH_SECRET_KEY=f"{new},{old}")
    assert (done.returncode, "re-encrypted: 1" in done.stderr) == (0, True)
    assert run("secrets", "rotate", "--data", data, BRIGADEWATCH_SECRET_KEY=new).returncode == 0


def test_a_malformed_allow_list_of_outgoing_requests_exits_with_2(data: str) -> None:
    done = run("tenants", "list", "--data", data, BRIGADEWATCH_OUTBOUND_ALLOW="10.0.0.0/8")
    assert done.returncode == 2
    assert "BRIGADEWATCH_OUTBOUND_ALLOW: '10.0.0.0/8'" in done.stderr


def test_a_given_port_in_use_exits_with_1_and_names_it(data: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("up", "--data", data, "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is already in use" in done.stderr


def test_the_openapi_document_goes_to_stdout() -> None:
    document = json.loads(run("openapi").stdout)
    assert "/v1/complaints" in document["paths"]


def test_an_audit_without_complaints_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "empty.ndjson").write_text("")
    done = run("audit", str(tmp_path / "empty.ndjson"), "--out", str(tmp_path / "report.json"))
    assert done.returncode == 1
    assert "no valid complaint" in done.stderr
    assert (
        run("audit", str(tmp_path / "empty.ndjson"), "--out", str(tmp_path / "r.json"), "--window", "soon").returncode
        == 2
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            ["audit", "c", "--outcomes", "o1", "o2", "--out", "r"],
            ["audit", "c", "--outcomes", "o1", "--outcomes", "o2", "--out", "r"],
        ),
        (["replay", "--outcomes", "o1", "c", "--url", "u"], ["replay", "--outcomes", "o1", "c", "--url", "u"]),
        (
            ["replay", "--url", "u", "c", "--force", "--outcomes", "o1", "o2"],
            ["replay", "--url", "u", "c", "--force", "--outcomes", "o1", "--outcomes", "o2"],
        ),
        (["audit", "c", "--outcomes"], ["audit", "c", "--outcomes"]),
        (
            ["audit", "--window=2d", "c1", "c2", "--outcomes", "o"],
            ["audit", "--window=2d", "c1", "c2", "--outcomes", "o"],
        ),
        (["tenants", "create", "--outcomes", "a", "b"], ["tenants", "create", "--outcomes", "a", "b"]),
    ],
)
def test_several_files_can_follow_one_outcomes_option(given: list[str], expected: list[str]) -> None:
    assert spread_outcomes(given) == expected


@pytest.fixture
def up(data: str, tmp_path: Path) -> Iterator[Up]:
    started = Up(data, tmp_path / "up.log")
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait()


def test_up_serves_restarts_its_processes_and_leaves_nothing_behind(up: Up) -> None:
    key = run(
        "keys", "create", "--tenant", "default", "--scope", "ingest", "--scope", "read", "--data", up.data
    ).stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}

    def post(number: int) -> bool:
        complaint = {
            "id": f"c{number}",
            "occurred_at": "2021-12-23T14:02:11Z",
            "reporter": {"id": f"r{number}"},
            "target": {"id": "t"},
        }
        try:
            return httpx.post(f"{up.api}/v1/complaints", json=complaint, headers=headers, timeout=3).status_code == 202
        except httpx.TransportError:
            return False

    def archived() -> int:
        try:
            return int(httpx.get(f"{up.api}/v1/pipeline", headers=headers, timeout=3).json().get("archived", 0))
        except httpx.TransportError:
            return 0

    export = run("keys", "create", "--tenant", "default", "--scope", "read", "--shell", "--data", up.data).stdout
    assert re.fullmatch(rf"export API={re.escape(up.api)} KEY=bw_\S+\n", export)
    assert httpx.get(f"{up.ops}/readyz").json() == {
        "ready": True,
        "dependencies": {"database": "ok", "redis": "ok"},
        "warnings": {},
    }
    assert "brigadewatch_up" in httpx.get(f"{up.ops}/metrics").text
    assert httpx.get(f"{up.api}/docs").status_code == 200
    up.wait(lambda: post(1))
    up.wait(lambda: archived() == 1)

    for words in (("service.cli", "api"), ("-server",), ("worker", "ingest"), ("service.cli", "clock")):
        up.child(*words).kill()
    up.wait(lambda: post(2))
    up.wait(lambda: archived() == 2)
    again = run("up", "--data", up.data)
    assert again.returncode == 1
    assert "another" in again.stderr

    up.wait(lambda: len(up.children()) == 8)
    children = up.children()
    assert len(children) == 8  # Redis, the API, five workers, the clock
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(30) == 0
    assert not psutil.wait_procs(children, timeout=1)[1]
    assert not (Path(up.data) / "redis.url").exists()
    assert not (Path(up.data) / "api.url").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux alone")
def test_no_process_outlives_an_up_that_is_killed(up: Up) -> None:
    children = up.children()
    up.process.kill()
    up.process.wait()
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_tenants_thresholds_can_be_set_listed_and_reset(data: str) -> None:
    assert run("tenants", "create", "news", "--data", data).returncode == 0
    assert (
        run(
            "policy", "set", "--tenant", "news", "default_threshold=12", "prior_unfounded=0.3", "--data", data
        ).returncode
        == 0
    )
    listed = run("policy", "show", "--tenant", "news", "--data", data)
    by_name = {line["name"]: line for line in map(json.loads, listed.stdout.splitlines()[:-1])}
    assert (
        by_name["default_threshold"]["value"],
        by_name["prior_unfounded"]["value"],
        by_name["flags_per_day"]["value"],
    ) == (12, 0.3, 50)
    assert json.loads(listed.stdout.splitlines()[-1])["policy_version"].startswith("2026.12+")
    assert "weights" not in by_name
    for wrong in (
        ("set", "--tenant", "news", "default_threshold=0"),
        ("set", "--tenant", "news", "nonsense=1"),
        ("show", "--tenant", "nobody"),
    ):
        done = run("policy", *wrong, "--data", data)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr and "Traceback" not in done.stderr
    assert run("policy", "reset", "--tenant", "news", "--data", data).returncode == 0
    assert json.loads(run("policy", "show", "--all", "--tenant", "news", "--data", data).stdout.splitlines()[-1]) == {
        "policy_version": "2026.12"
    }


def test_a_database_changes_its_redis_by_one_command_and_never_by_accident(
    data: str, tmp_path: Path, valkey_server: RedisProcess
) -> None:
    """A process with another Redis does not start; `redis adopt` moves what waits, once nobody uses the old one."""
    first, second = (f"redis://127.0.0.1:{valkey_server.port}/{number}" for number in (4, 5))
    with Redis.from_url(first) as old, Redis.from_url(second) as new:
        old.flushdb()
        new.flushdb()
        assert run("tenants", "create", "paper", "--data", data).returncode == 0
        assert run("rebuild", "--data", data, REDIS_URL=first).returncode == 0
        old.xadd("bw:paper:stream", {"first": 1, "n": 1, "at": 1, "lines": b'w{"id":"a"}'})
        new.set("bw:identity", "f" * 32)
        for command in (["clock"], ["worker", "ingest"], ["api", "--port", "0", "--ops-port", "0"], ["rebuild"]):
            refused = run(*command, "--data", data, REDIS_URL=second)
            assert refused.returncode == 1
            assert "brigadewatch redis adopt" in refused.stderr, refused.stderr
        engine = open_database(read_settings(Path(data), {}).database_url)
        with write(engine) as connection:  # the rebuild used it, and a busy machine takes long for so many commands
            used = connection.execute(update(redis_users).values(seen_us=wall_clock.now_us()))
        assert used.rowcount == 1
        adopted = run("redis", "adopt", "--from", first, "--data", data, REDIS_URL=second)
        assert "less than 30 s ago" in adopted.stderr
        with write(engine) as connection:
            connection.execute(delete(redis_users))
        engine.dispose()
        assert run("redis", "adopt", "--data", data, REDIS_URL=second).returncode == 2
        wrong = run("redis", "adopt", "--from", second, "--data", data, REDIS_URL=second)
        assert "itself" in wrong.stderr
        adopted = run("redis", "adopt", "--from", first, "--data", data, REDIS_URL=second)
        assert adopted.returncode == 0, adopted.stderr
        assert "moved 1 waiting items of tenant paper" in adopted.stderr
        assert (old.xlen("bw:paper:stream"), new.xlen("bw:paper:stream")) == (0, 1)
        shown = run("redis", "status", "--data", data, REDIS_URL=second).stdout
        assert shown.count("f" * 32) == 2
        assert "waiting   1 stream entries of tenant paper" in shown
        assert run("rebuild", "--data", data, REDIS_URL=first).returncode == 1
