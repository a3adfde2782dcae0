"""Measure what one tenant's hostile JSON does to another tenant's questions, and to the memory of the API.

    .venv/bin/python bench/hostile_bodies.py [--seconds 15] [--connections 4] [--quick]

`brigadewatch up` runs in a temporary folder. A quiet tenant asks about a target every 20 ms, alone and then beside each
attack: another tenant posts the same body again and again over its connections, as fast as it is answered. The field
maps are stored as an administrator of the attacking tenant would; where this version refuses the worst one, it says so.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from figures import parser_of, print_machine, quantile, show
from installation import Client, Installation, installation

ASK_EVERY = 0.02
MIB = 1024 * 1024
SECRET = "a secret of the bench"
FIELDS = {"id": "$.id", "occurred_at": "$.at", "reporter.id": "$.by", "target.id": "$.post"}


def filled(element: bytes, size: int, begin: bytes = b"[", end: bytes = b"]") -> bytes:
    """`size` bytes of the element."""
    return begin + b",".join([element] * (size // (len(element) + 1))) + end


@dataclass
class Attack:
    """One body, and where it goes."""

    name: str
    body: bytes
    path: str = "/v1/complaints"
    content: str = "application/json"
    mapping: dict[str, Any] | None = None  # of a source that the body goes to


def many_fields() -> dict[str, Any]:
    """Every attribute, from the end of a path into the whole document."""
    deep = {"path": "$" + "[0]" * 20, "from": "document"}
    return FIELDS | {f"target.attributes.k{n}": deep for n in range(32)}


ATTACKS = (
    Attack("map: 2 selectors a segment, 45 bytes", b"[" * 22 + b"]" * 22, mapping={"items": "$" + "[*,*]" * 22}),
    Attack("map: half a million elements", filled(b"[0,0]", 980_000), mapping={"items": "$[*][*]"}),
    Attack(
        "map: many items, 36 fields",
        filled(b"[]", 600_000),
        mapping={"items": "$[*]", "complaint": {"fields": many_fields()}},
    ),
    Attack(
        "map: one large text in every item",
        b'{"big":"' + b"x" * 7 * MIB + b'","e":' + filled(b"{}", 27_000) + b"}",
        mapping={
            "items": "$.e[*]",
            "complaint": {"fields": FIELDS | {"id": {"path": "$.big", "from": "document", "prefix": "p/"}}},
        },
    ),
    Attack("payload: 8 MiB of brackets", filled(b'{"":0}', 8 * MIB - 8), mapping={"items": "$[*]"}),
    Attack("complaints: 8 MiB of brackets", filled(b'{"":0}', 8 * MIB - 8)),
    Attack(
        "complaints: 8 lines of brackets",
        b"\n".join([filled(b'{"":0}', MIB - 64, b'{"a":[', b"]}")] * 8)[: 8 * MIB],
        content="application/x-ndjson",
    ),
    Attack("decision: 8 MiB of brackets", filled(b'{"":0}', 8 * MIB - 8), "/v1/clusters/clu_x/decisions"),
)


@dataclass
class Seen:
    """What one phase showed."""

    asked_ms: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    memory: int = 0  # of the API, at most, bytes


def ask(client: Client, seen: Seen, over: threading.Event) -> None:
    """Ask about a target every 20 ms."""
    while not over.is_set():
        began = time.perf_counter()
        client.get("/v1/targets/t1")
        took = time.perf_counter() - began
        seen.asked_ms.append(took * 1e3)
        time.sleep(max(0.0, ASK_EVERY - took))


def watch(api: psutil.Process, seen: Seen, over: threading.Event) -> None:
    """Keep the largest resident set."""
    while not over.wait(0.02):
        seen.memory = max(seen.memory, api.memory_info().rss)


def attack(url: str, path: str, headers: dict[str, str], body: bytes, seen: Seen, over: threading.Event) -> None:
    """Post the body until it is over."""
    parts = urlsplit(url)
    while not over.is_set():
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        try:
            while not over.is_set():
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
                seen.answers[str(answer.status)] += 1
        except (OSError, http.client.HTTPException) as error:
            seen.answers[type(error).__name__] += 1
        finally:
            connection.close()


def phase(up: Installation, quiet: str, seconds: float, connections: int, request: tuple[Any, ...] | None) -> Seen:
    """Ask for so many seconds, beside the attack."""
    seen, over = Seen(), threading.Event()
    threads = [
        threading.Thread(target=ask, args=(Client(up.url, quiet), seen, over)),
        threading.Thread(target=watch, args=(up.parts()["api"], seen, over)),
    ]
    if request is not None:
        threads += [threading.Thread(target=attack, args=(up.url, *request, seen, over)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    over.set()
    for thread in threads:
        thread.join()
    return seen


def source_path(up: Installation, mapping: dict[str, Any]) -> str | None:
    """The path of a new source with this field map; None where it is refused."""
    with tempfile.TemporaryDirectory() as scratch:
        file, secret = Path(scratch) / "map.json", Path(scratch) / "secret"
        file.write_text(json.dumps({"signature": {"scheme": "bearer"}, "complaint": {"fields": FIELDS}} | mapping))
        secret.write_text(SECRET)
        command = [
            sys.executable,
            "-m",
            "service.cli",
            "sources",
            "add",
            "--tenant",
            "hostile",
            "--platform",
            "generic",
        ]
        command += ["--mapping", str(file), "--secret-file", str(secret), "--data", str(up.data)]
        done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def request_of(up: Installation, key: str, one: Attack) -> tuple[str, dict[str, str], bytes] | None:
    """Path, headers and body; None where the field map is refused."""
    headers = {"Content-Type": one.content, "Authorization": f"Bearer {key}"}
    if one.mapping is None:
        return one.path, headers, one.body
    path = source_path(up, one.mapping)
    return None if path is None else (path, headers | {"Authorization": f"Bearer {SECRET}"}, one.body)


@contextmanager
def started() -> Iterator[tuple[Installation, str, str]]:
    """An installation of its own for each attack, so that memory is its own: (it, the quiet key, the hostile key)."""
    with installation() as up:
        quiet = up.key("quiet")
        command = [sys.executable, "-m", "service.cli", "keys", "create", "--tenant", "hostile", "--create"]
        command += ["--scope", "ingest", "--scope", "moderate", "--data", str(up.data)]
        yield up, quiet, subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each phase (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=4, help="of the attack (default: %(default)s)")
    chosen = parser.parse_args()
    seconds = 4.0 if chosen.quick else chosen.seconds
    print_machine()
    for one in ATTACKS:
        with started() as (up, quiet, hostile):
            alone = phase(up, quiet, min(seconds, 5.0), 0, None)
            request = request_of(up, hostile, one)
            if request is None:
                print(f"{one.name}: the field map is refused")
                continue
            beside = phase(up, quiet, seconds, chosen.connections, request)
        print(f"{one.name}: {len(one.body):,} bytes, answered {dict(beside.answers)}")
        for share, name in ((0.5, "p50"), (0.99, "p99"), (1.0, "longest")):
            before, after = quantile(alone.asked_ms, share), quantile(beside.asked_ms, share)
            show(
                f"  question of another tenant, {name}, ms (alone {before:.1f}; ratio {after / before:.1f})",
                after,
                quick=chosen.quick,
            )
        show(
            f"  memory of the API, MB (alone {alone.memory / 1e6:.0f})",
            beside.memory / 1e6,
            digits=0,
            quick=chosen.quick,
        )


if __name__ == "__main__":
    main()
