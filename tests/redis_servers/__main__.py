"""The tests of everything that depends on the Redis, on every server that can be had; prints a table.

`PYTHONPATH=.:tests python -m redis_servers [--few] [--short] [--only NAME]`, as `make test-redis` calls it. What cannot
be fetched is listed as not tried, with the reason. Exit code 1: a test failed, or none was run on any server.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree  # of a file that pytest has just written
from dataclasses import dataclass
from pathlib import Path

import redis
from redis_process import RedisProcess, program
from redis_servers.catalogue import NOT_TO_BE_HAD, SERVERS, Server
from redis_servers.fetching import ROOT, NotToBeHad, fetch, version_of

from service.storage.redis_store.server_check import UnfitServer, require_fit

UP = "tests/scenarios/test_redis_server.py"
QUICK = (
    UP,
    "tests/service/storage/redis_store",
    "tests/workers/test_rebuild_redis.py",
)
LONG = (
    *QUICK,
    "tests/service/ops",
    "tests/service/api/test_submissions.py",
    "tests/workers/test_backup.py",
    "tests/workers/test_clock.py",
    "tests/workers/test_erase.py",
    "tests/workers/test_ingest.py",
    "tests/workers/test_jobs.py",
    "tests/workers/test_known_members.py",
    "tests/workers/test_tenant_assignment.py",
    "tests/workers/test_workers_survive_kills.py",
)
_SECONDS = 1_500  # for one server


@dataclass
class Result:
    """A row of the table."""

    name: str
    version: str = "–"
    passed: int = 0
    failed: int = 0
    remark: str = ""
    seconds: float = 0.0
    tested: bool = False  # by tests, not only refused


def tried(server: Server, tests: tuple[str, ...]) -> Result:
    """Fetch the server and run the tests on it."""
    began = time.monotonic()
    result = Result(server.name)
    try:
        found = fetch(server)
        result.version = version_of(found)
    except NotToBeHad as error:
        result.remark = f"not tried: {error}"
        return result
    if server.too_old:
        _expect_refusal(found, result)
    else:
        _run_tests(str(found), tests, result)
    result.seconds = time.monotonic() - began
    return result


def _run_tests(path: str, tests: tuple[str, ...], result: Result) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", f"--redis={path}"]
        # fakeredis is the same whatever the server
        chosen = ["-k", "not fake", f"--junitxml={report}", *tests]
        try:
            done = subprocess.run(
                [*command, *chosen], cwd=ROOT, timeout=_SECONDS, check=False, capture_output=True, text=True
            )
        except subprocess.TimeoutExpired:
            result.failed, result.remark = 1, f"not done after {_SECONDS} s"
            return
        if not report.exists():
            result.failed, result.remark = 1, f"pytest ended with {done.returncode}"
            print(done.stdout[-4_000:], done.stderr[-2_000:])
            return
        suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    result.failed = counts["failures"] + counts["errors"]
    result.passed = counts["tests"] - result.failed - counts["skipped"]
    result.tested = True
    if not result.failed and (done.returncode or not result.passed):
        result.failed, result.remark = 1, f"pytest ended with {done.returncode}, {result.passed} passed"
    if result.failed:
        print(done.stdout[-8_000:])


def _expect_refusal(path: Path, result: Result) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = RedisProcess(Path(folder) / "redis", path=str(path)).start()
        try:
            with redis.Redis.from_url(server.url) as client:
                require_fit(client)
            result.failed, result.remark = 1, "it was not refused"
        except UnfitServer as refused:
            result.passed, result.remark = 1, f"refused, as it has to be: {str(refused).partition(':')[0]}"
        finally:
            server.stop()


def _row(row: Result) -> str:
    counts = f"{row.passed:6} {row.failed:6} {row.seconds:7.0f}" if row.passed or row.failed else " " * 21
    return f"{row.name:24} {row.version:10} {counts}  {row.remark}".rstrip()


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true", help="three servers only")
    parser.add_argument("--short", action="store_true", help="fewer tests on each")
    parser.add_argument("--only", metavar="NAME", help="only servers whose name contains this")
    options = parser.parse_args()
    results, tests = [], QUICK if options.short else LONG
    for server in SERVERS:
        if (options.few and not server.quick) or (options.only and options.only.lower() not in server.name.lower()):
            continue
        print(f"== {server.name}", flush=True)
        results.append(tried(server, tests))
        print(_row(results[-1]), flush=True)
    if not options.few and not options.only:
        print("== the packaged Valkey", flush=True)
        packaged = Result("Valkey (packaged)", version_of(Path(program())))
        began = time.monotonic()
        _run_tests(program(), tests, packaged)
        packaged.seconds = time.monotonic() - began
        results += [packaged, *(Result(name, remark="not tried: no package to be had") for name in NOT_TO_BE_HAD)]
    print(f"\n{'server':24} {'version':10} {'passed':>6} {'failed':>6} {'seconds':>7}")
    for row in results:
        print(_row(row))
    passed, failed = sum(row.passed for row in results), sum(row.failed for row in results)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed or not any(row.tested for row in results) else 0


if __name__ == "__main__":
    sys.exit(main())
