"""One `brigadewatch up` on the Redis that the tests use: complaints in, a brigade found, the server killed, emptied and
rebuilt. `make test-redis` runs it on every server that can be had.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis
from redis_process import program
from up import Up, environment, make_key

BRIGADE, TARGETS = 8, 9


class Service:
    """Calls a running installation as a platform does."""

    def __init__(self, up: Up) -> None:
        self.up, self.headers = up, {"Authorization": f"Bearer {make_key(up.data)}"}

    def post(self, lines: list[dict[str, Any]]) -> httpx.Response | None:
        """None: nobody answered."""
        body = "\n".join(json.dumps(line) for line in lines)
        headers = self.headers | {"Content-Type": "application/x-ndjson"}
        try:
            return httpx.post(f"{self.up.api}/v1/complaints", content=body, headers=headers, timeout=5)
        except httpx.TransportError:
            return None

    def accepted(self, lines: list[dict[str, Any]]) -> None:
        """Post until it is accepted."""
        self.up.wait(lambda: (answer := self.post(lines)) is not None and answer.status_code == 202, 60)

    def target(self, number: int) -> dict[str, Any]:
        """The answer about a target, {} while there is none."""
        try:
            answer = httpx.get(
                f"{self.up.api}/v1/targets/t-{number}?threshold=8&wait=1000", headers=self.headers, timeout=5
            )
        except httpx.TransportError:
            return {}
        return dict(answer.json()) if answer.status_code == 200 else {}

    def settled(self, number: int, complaints: int) -> dict[str, Any]:
        """The answer, once it contains so many complaints and nothing is pending."""

        def found() -> bool:
            answer = self.target(number)
            return answer.get("complaints") == complaints and not answer.get("pending")

        self.up.wait(found, 90)
        return self.target(number)

    def redis(self) -> redis.Redis:
        """Its server, by the address that commands find it with."""
        return redis.Redis.from_url((Path(self.up.data) / "redis.url").read_text().strip())


def complaint(reporter: str, target: int, minute: int) -> dict[str, Any]:
    return {
        "id": f"c-{reporter}-{target}",
        "occurred_at": f"2021-12-2{target % 5 + 1}T{minute // 60 + 10:02d}:{minute % 60:02d}:00Z",
        "reporter": {"id": reporter, "fingerprint": "k7Jx0w" if reporter.startswith("b-") else f"f-{reporter}"},
        "target": {"id": f"t-{target}", "kind": "comment", "context_id": f"article-{target}"},
        "reason": "insult",
    }


@pytest.fixture
def service(tmp_path: Path) -> Any:
    """An `up` with a server of its own."""
    up = Up(str(tmp_path / "data"), tmp_path / "up.log")
    yield Service(up)
    up.process.terminate()
    up.process.wait(30)


@pytest.mark.timeout(400)
def test_a_brigade_is_found_and_survives_what_happens_to_redis(service: Service) -> None:
    up = service.up
    server = up.child("-server")
    assert Path(program()).name in " ".join(server.cmdline()) or "redis-server" in " ".join(server.cmdline())
    honest = [complaint(f"h-{n}", n % 60 + 100, n) for n in range(240)]
    brigade = [complaint(f"b-{who}", target, target * 3) for target in range(TARGETS) for who in range(BRIGADE)]
    service.accepted(honest)
    service.accepted(brigade)
    before = service.settled(3, BRIGADE)
    assert before["recommendation"] == "hold", before

    server.kill()
    psutil.wait_procs([server], timeout=10)
    service.accepted([complaint("late", 3, 50)])
    after_kill = service.settled(3, BRIGADE + 1)
    assert after_kill["independent_complaints"] == pytest.approx(before["independent_complaints"] + 1, abs=0.5)

    with service.redis() as client:
        client.flushall()
    up.wait(lambda: service.target(3) != {}, 60)
    restored = service.settled(3, BRIGADE + 1)
    assert restored["independent_complaints"] == after_kill["independent_complaints"]
    assert restored["clusters"] == after_kill["clusters"]

    with service.redis() as client:  # more than SQL knows, as after an older backup was put back
        client.hset("bw:default:totals", mapping={f"{key:016x}": 1 for key in range(3_000)})
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "rebuild", "--data", up.data],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with service.redis() as client:
        assert client.hlen("bw:default:totals") == TARGETS + 60
        _nothing_was_unknown(client)
    readiness = httpx.get(f"{up.ops}/readyz").json()
    assert readiness["warnings"] == {}, readiness


def _nothing_was_unknown(client: Any) -> None:
    """Since its start the server has understood all options and arguments that it was sent."""
    failed = {name.removeprefix("cmdstat_") for name, n in client.info("commandstats").items() if n.get("failed_calls")}
    # EVALSHA: NOSCRIPT after a restart; the groups: NOGROUP and BUSYGROUP; CLIENT: what redis-py tells newer servers
    expected = re.compile(r"evalsha$|xgroup|xreadgroup$|client")
    assert not {name for name in failed if not expected.match(name)}
