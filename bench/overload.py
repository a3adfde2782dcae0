"""Offer twice the sustainable rate for five minutes: refusals, memory, assessments, and proof that nothing is lost.

    .venv/bin/python bench/overload.py [--find 60] [--seconds 300] [--factor 2] [--room 250000] [--complaints 400000]
    [--quick]

`brigadewatch up` runs in a temporary folder; another API process uses its stores and has a bare route with one Redis
GET (bench/assess.py). First complaints are posted as fast as they are analysed, with at most 20,000 pending; the rate
of the second half is the sustainable one. Then `--factor` times that rate is offered, whatever the answers: a refused
batch is offered again in its turn, ignoring Retry-After. Meanwhile both routes are called alternately, and memory is
read every second. Then nothing is sent until nothing is pending; the archive must contain exactly what was
acknowledged.

The world is a larger version of the demo's, repeated under other ids and two weeks later as often as needed. `--room`
is BRIGADEWATCH_MAX_STREAM_ITEMS, small enough to be reached within five minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import psutil
from assess import BARE_KEY, Raw, child, wait_for
from figures import parser_of, print_machine, quantile, show
from installation import Client, Installation, batches, installation
from redis import Redis
from sqlalchemy import create_engine, func, select

from service.demo.newspaper import DAYS, START
from service.demo.world import draw_world
from service.storage.sql.schema import complaints

BATCH = 500
CONNECTIONS = 6
PENDING = 20_000  # while the sustainable rate is looked for
ASK_EVERY_MS = 20.0
TARGETS_EACH = 100
PATIENCE = 30.0  # seconds that a client waits for an answer


def write_world(folder: Path, count: int) -> Path:
    """The complaints as NDJSON; the first id of a line is the complaint's own."""
    path = folder / "complaints.ndjson"
    with path.open("w") as file:
        for complaint in draw_world(7, count).complaints:
            file.write(json.dumps({"id": complaint["id"], **complaint}, separators=(",", ":")) + "\n")
    return path


class Bodies:
    """The world's batches without end: each telling has ids of its own, new targets, and days that follow those of the
    one before.
    """

    def __init__(self, path: Path) -> None:
        self._bodies = batches(path.read_bytes().splitlines(), BATCH)
        self._number = 0

    def next(self) -> bytes:
        """One more body of BATCH lines (the last of a telling may have fewer)."""
        telling, index = divmod(self._number, len(self._bodies))
        self._number += 1
        body = self._bodies[index]
        if telling == 0:
            return body
        body = re.sub(rb'^\{"id":"', b'{"id":"%d~' % telling, body, flags=re.MULTILINE).replace(
            b'"target":{"id":"', b'"target":{"id":"%d~' % telling
        )
        # From the last day on: otherwise a day that was moved would be moved again.
        for day in reversed(range(-1, DAYS + 1)):
            before = START.date() + timedelta(days=day)
            body = body.replace(_of(before), _of(before + timedelta(days=telling * (DAYS + 1))))
        return body


def _of(day: date) -> bytes:
    return f'"occurred_at":"{day.isoformat()}'.encode()


@dataclass
class Sent:
    """What became of the batches of a phase."""

    answers: Counter[int] = field(default_factory=Counter)  # by status; 0: none within PATIENCE, or a broken connection
    accepted: int = 0  # items
    position: int = 0
    behind: float = 0.0  # seconds that the sender fell back behind its own times, at most

    @property
    def offered(self) -> int:
        return sum(self.answers.values())


class Sender:
    """Posts from several connections, each batch until it is acknowledged."""

    def __init__(self, port: int, key: str, path: Path) -> None:
        self._port, self._headers = port, {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
        self._bodies, self._again, self._lock = Bodies(path), list[bytes](), threading.Lock()
        self.sent = Sent()

    def take(self) -> bytes:
        """The next batch, one that was refused before a new one."""
        with self._lock:
            return self._again.pop() if self._again else self._bodies.next()

    def post(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        """Offer it once, and count what came of it."""
        status = 0
        answer: dict[str, int] = {}
        try:
            connection.request("POST", "/v1/complaints", body, self._headers)
            got = connection.getresponse()
            status, text = got.status, got.read()
            answer = json.loads(text) if status == 202 else {}
        except (OSError, http.client.HTTPException):
            connection.close()
        with self._lock:
            self.sent.answers[status] += 1
            self.sent.accepted += answer.get("accepted", 0)
            self.sent.position = max(self.sent.position, answer.get("position", 0))
            if status != 202:
                self._again.append(body)

    def at_rate(self, per_second: float, seconds: float) -> None:
        """Offer so many items a second, at their own times."""
        started, every = time.perf_counter(), CONNECTIONS * BATCH / per_second

        def offer(share: int) -> None:
            connection, number = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE), 0
            while (due := (number + share / CONNECTIONS) * every) < seconds:
                late = time.perf_counter() - started - due
                time.sleep(max(0.0, -late))
                self.sent.behind = max(self.sent.behind, late)
                self.post(connection, self.take())
                number += 1

        _together(offer)

    def while_few_wait(self, client: Client, seconds: float) -> float:
        """Post as fast as it is analysed; items a second in the second half."""
        over, few = threading.Event(), threading.Event()
        few.set()

        def offer(_: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            while not over.is_set():
                if few.wait(0.1):
                    self.post(connection, self.take())

        threads = [threading.Thread(target=offer, args=(share,)) for share in range(2)]
        for thread in threads:
            thread.start()
        started, half = time.perf_counter(), (0.0, 0)
        try:
            while (passed := time.perf_counter() - started) < seconds:
                state = client.get("/v1/pipeline")
                (few.set if state["pending"] < PENDING else few.clear)()
                if passed >= seconds / 2 and not half[0]:
                    half = passed, state["analysed_position"]
                time.sleep(0.05)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        return float(
            (client.get("/v1/pipeline")["analysed_position"] - half[1]) / (time.perf_counter() - started - half[0])
        )


def _together(offer: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=offer, args=(share,)) for share in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send(port: int, key: str, path: Path, find: float, seconds: float, factor: float) -> None:
    """The sender's process: says the sustainable rate, waits for a line on stdin, offers the load, says what came of
    it.
    """
    sender, client = Sender(port, key, path), Client(f"http://127.0.0.1:{port}", key)
    rate = sender.while_few_wait(client, find)
    if sender.sent.answers.keys() - {202}:
        raise RuntimeError(f"before the overload, answers were {dict(sender.sent.answers)}")
    calm, sender.sent = sender.sent, Sent()
    print(json.dumps({"rate": rate, "accepted": calm.accepted, "position": calm.position}), flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    sender.at_rate(rate * factor, seconds)
    took, sent = time.perf_counter() - started, sender.sent
    print(
        json.dumps(
            {
                "took": took,
                "answers": sent.answers,
                "accepted": sent.accepted,
                "position": sent.position,
                "offered": sent.offered,
                "behind": sent.behind,
            }
        ),
        flush=True,
    )


@dataclass
class CallTimings:
    """What the asking side saw."""

    bare: list[float] = field(default_factory=list)  # milliseconds
    targets: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def ask(port: int, key: str, paths: list[bytes], seconds: float) -> CallTimings:
    """Both routes, in turn, at a steady rate; who goes first changes.

    Failures are recorded, and the calls continue.
    """
    timings, connection, number = CallTimings(), Raw(port, key), 0
    started = time.perf_counter()
    while (now := time.perf_counter() - started) < seconds:
        time.sleep(max(0.0, number * ASK_EVERY_MS / 1e3 - now))
        for which in ((0, 1), (1, 0))[number % 2]:
            try:
                took = connection.get(paths[number % len(paths)] if which else b"/bare")
                (timings.targets if which else timings.bare).append(took)
            except (OSError, RuntimeError, ValueError, StopIteration) as error:
                timings.failures.append(f"{type(error).__name__}: {error}"[:200])
                connection = Raw(port, key)
        # what was missed is not made up for
        number = max(number + 1, int((time.perf_counter() - started) * 1e3 / ASK_EVERY_MS))
    return timings


@contextlib.contextmanager
def sampled(up: Installation, api: int, redis: Redis) -> Iterator[dict[str, list[float]]]:
    """Memory in MB, read every second: resident of each process, and what Redis says it uses."""
    over, seen = threading.Event(), dict[str, list[float]]()
    processes = {**{name: process for name, process in up.parts().items() if name != "api"}, "api": psutil.Process(api)}

    def sample() -> None:
        while not over.is_set():
            for name, process in processes.items():
                seen.setdefault(name, []).append(process.memory_info().rss / 1e6)
            seen.setdefault("(redis, used)", []).append(redis.info("memory")["used_memory"] / 1e6)
            over.wait(1.0)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def archived(up: Installation) -> int:
    """Complaints in the archive."""
    engine = create_engine(up.database_url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(complaints)).scalar_one())
    finally:
        engine.dispose()


def print_memory(seen: dict[str, list[float]], quick: bool) -> None:
    """The most of each, and how much of it came in the last third: what is bounded stops growing."""
    for name, values in sorted(seen.items()):
        early, late = max(values[: max(1, len(values) * 2 // 3)]), max(values)
        show(f"memory of {name}, largest, MB ({late - early:+.0f} in the last third)", late, digits=0, quick=quick)


def measure(chosen: argparse.Namespace, folder: Path) -> bool:
    """Everything; whether all bars were met."""
    path = write_world(folder, chosen.complaints)
    limit = {"BRIGADEWATCH_MAX_STREAM_ITEMS": str(chosen.room)}
    with (
        installation(environment=limit) as up,
        socket.create_server(("127.0.0.1", 0), backlog=256) as listener,
        Redis.from_url(up.redis_url) as redis,
    ):
        port, key = listener.getsockname()[1], up.key()
        redis.set(BARE_KEY, "x" * 40)
        stores = {
            "REDIS_URL": up.redis_url,
            "DATABASE_URL": up.database_url,
            "BRIGADEWATCH_DATA": str(up.data),
            **limit,
        }
        with child("serve", listener.fileno(), pass_fds=(listener.fileno(),), environment=stores) as api:
            wait_for(f"http://127.0.0.1:{port}/healthz")
            targets = list(
                dict.fromkeys(json.loads(line)["target"]["id"] for line in path.read_bytes().splitlines()[:20_000])
            )[:TARGETS_EACH]
            paths = [f"/v1/targets/{target}".encode() for target in targets]
            command = [
                sys.executable,
                __file__,
                "send",
                str(port),
                key,
                str(path),
                str(chosen.find),
                str(chosen.seconds),
                str(chosen.factor),
            ]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
                try:
                    return _overload(chosen, up, api.pid, redis, port, key, paths, sender)
                finally:
                    sender.kill()


def _overload(
    chosen: argparse.Namespace,
    up: Installation,
    api: int,
    redis: Redis,
    port: int,
    key: str,
    paths: list[bytes],
    sender: subprocess.Popen[str],
) -> bool:
    assert sender.stdin is not None and sender.stdout is not None
    client = Client(f"http://127.0.0.1:{port}", key)
    calm = json.loads(sender.stdout.readline())
    show("sustainable: posted and analysed, items/s", calm["rate"], digits=0)
    client.wait_until(calm["position"], seconds=300, pause=0.2)
    with sampled(up, api, redis) as seen:
        sender.stdin.write("go\n")
        sender.stdin.flush()
        timings = ask(port, key, paths, chosen.seconds)
        sent = json.loads(sender.stdout.readline())
        ended = time.perf_counter()
        position = max(calm["position"], sent["position"])
        client = Client(f"http://127.0.0.1:{port}", key)  # the server has closed the first connection meanwhile
        behind = client.get("/v1/pipeline")["pending"]
        client.wait_until(position, swept=True, seconds=1_800, pause=0.5)
        caught_up = time.perf_counter() - ended
    answers = {int(status): count for status, count in sent["answers"].items()}
    print(
        f"    offered {sent['offered'] * BATCH / sent['took']:,.0f} items/s for {sent['took']:.0f} s in batches of"
        f" {BATCH}; the senders were {sent['behind']:.1f} s late at most"
    )
    for status in sorted(answers):
        show(f"batches answered {status or 'not at all'}", answers[status], digits=0)
    met = [show("assessments that failed", len(timings.failures), at_most=0, digits=0, quick=chosen.quick)]
    for failure in timings.failures[:3]:
        print(f"    {failure}")
    for share in (0.5, 0.99):
        show(f"the bare route, p{share * 100:.0f}, ms", quantile(timings.bare, share), digits=1)
        show(f"GET /v1/targets/{{id}}, p{share * 100:.0f}, ms", quantile(timings.targets, share), digits=1)
    met.append(
        show(
            f"ratio of the p99, {len(timings.targets):,} calls of each",
            quantile(timings.targets, 0.99) / quantile(timings.bare, 0.99),
            at_most=5.0,
            digits=2,
            quick=chosen.quick,
        )
    )
    print_memory(seen, chosen.quick)
    show("pending when the load ended, items", behind, digits=0)
    show("until nothing was pending and all was swept, s", caught_up, digits=0)
    accepted, found = calm["accepted"] + sent["accepted"], archived(up)
    unanswered = answers.get(0, 0) * BATCH
    show(
        f"acknowledged complaints that the archive has not ({accepted:,} acknowledged, {found:,} archived)",
        max(0, accepted - found),
        at_most=0,
        digits=0,
        quick=chosen.quick,
    )
    met.append(accepted <= found <= accepted + unanswered)
    return all(met)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--find", type=float, default=60.0, help="seconds for finding the sustainable rate")
    parser.add_argument("--seconds", type=float, default=300.0, help="seconds of overload")
    parser.add_argument("--factor", type=float, default=2.0, help="overload as a multiple of the sustainable rate")
    parser.add_argument("--room", type=int, default=250_000, help="items that may wait to be archived, beyond that 429")
    parser.add_argument("--complaints", type=int, default=400_000, help="complaints in one repetition of the world")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.find, chosen.seconds, chosen.room, chosen.complaints = 10.0, 30.0, 30_000, 60_000
    print_machine()
    with tempfile.TemporaryDirectory(prefix="brigadewatch-overload-") as folder:
        met = measure(chosen, Path(folder))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        send(int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), *map(float, sys.argv[5:8]))
    else:
        main()
