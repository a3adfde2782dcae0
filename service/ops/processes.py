"""Which processes are alive, and how much memory each kind uses: every process reports to Redis every ten seconds.

Times are Redis' own, so that hosts need not agree. A process that ends removes its entry; one that is killed drops out
after SILENT_SECONDS, and so does one that was last heard in the future (Redis' clock was set back), until its next
beat. Memory is read from /proc, and left out on systems without it.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import as_text, time_us
from service.storage.redis_store.job_kinds import QUEUES

KINDS = ("api", *(f"worker-{queue}" for queue in QUEUES), "clock")
BEAT_SECONDS = 10.0
SILENT_SECONDS = 35.0  # three beats were missed
_FORGOTTEN_SECONDS = 3_600.0
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Kind:
    """The living processes of one kind, together."""

    count: int
    resident_bytes: int | None  # of the largest; None: unknown
    peak_bytes: int | None  # the highest of any of them since its start


@contextmanager
def beating(client: Redis, kind: str) -> Iterator[None]:
    """Report this process as alive within the block. Redis may go away and come back."""
    over, field = threading.Event(), f"{kind}|{secrets.token_hex(6)}"

    def beat() -> None:
        while not over.is_set():
            with suppress(RedisError, OSError):  # the next beat may succeed
                _say(client, field)
            over.wait(BEAT_SECONDS)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(BEAT_SECONDS)
        with suppress(RedisError, OSError):  # its entry expires
            client.hdel(redis_keys.PROCESSES, field)


def read_kinds(fields: Mapping[Any, Any], now_seconds: float) -> dict[str, Kind]:
    """Processes by kind, from the hash as Redis returns it and Redis' time; a kind without processes has 0."""
    living: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for field, value in fields.items():
        kind, entry = as_text(field).partition("|")[0], json.loads(value)
        if kind in living and abs(now_seconds - entry["at"]) <= SILENT_SECONDS:
            living[kind].append(entry)
    return {
        kind: Kind(len(found), _largest(found, "resident"), _largest(found, "peak")) for kind, found in living.items()
    }


def _say(client: Any, field: str) -> None:
    now = time_us(client.time()) / 1e6
    known = client.hgetall(redis_keys.PROCESSES)
    gone = [name for name, value in known.items() if abs(now - json.loads(value)["at"]) > _FORGOTTEN_SECONDS]
    if gone:
        client.hdel(redis_keys.PROCESSES, *gone)
    client.hset(redis_keys.PROCESSES, field, json.dumps({"at": now, **_memory()}))


def _memory() -> dict[str, int]:
    """Bytes of this process, now (resident) and at most since its start (peak)."""
    try:
        lines = dict(
            line.split(":", 1) for line in _STATUS.read_text().splitlines() if line.startswith(("VmRSS", "VmHWM"))
        )
        return {name: int(lines[row].split()[0]) * 1_024 for name, row in (("resident", "VmRSS"), ("peak", "VmHWM"))}
    except (OSError, KeyError, ValueError):
        return {}


def _largest(found: list[dict[str, Any]], name: str) -> int | None:
    return max((int(entry[name]) for entry in found if name in entry), default=None)
