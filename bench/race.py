"""Let a known brigade, and honest people, complain about new targets within 100 ms, and ask at each complaint.

    .venv/bin/python bench/race.py [--targets 50] [--size 6000] [--generator newspaper] [--seed 61] [--days-ago 1]
    [--quick]

A world of bench/worlds is moved so that it ends `--days-ago` days before now, posted to a `brigadewatch up` of its own
and swept. From 15 days on, its complaints have left the window when the race begins: members are known from the stored
clusters alone. Each complaint is posted with `assess=true` on a connection of its own. An answer *allows the removal*
if it came to a question asked when the platform had counted eight complaints about the target, and says `none` or
`review`. In the middle, the ingest and detect workers are stopped for two seconds.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from figures import parser_of, print_machine, quantile, show
from installation import Client, Installation, batches, installation
from pydantic_core import to_json

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.world import DAYS, START, Wanted

BRIGADE, HONEST, THRESHOLD = 14, 30, 8
WITHIN_SECONDS, WAIT_MS = 0.1, 1_000
STOPPED_SECONDS = 2.0


class Race:
    """People who complain about the same target at the same time, each on a connection of their own."""

    def __init__(self, up: Installation, key: str, people: int) -> None:
        self.clients = [Client(up.url, key) for _ in range(people)]
        self.asker = Client(up.url, key)
        self.last_post = 0.0  # of the latest race, by time.perf_counter

    def run(self, target: str, reporters: Sequence[str]) -> list[tuple[int, dict[str, Any], float]]:
        """By complaint: how many the platform had counted when it asked, the assessment, and seconds until it came."""
        found: list[tuple[int, dict[str, Any], float]] = []
        counted, lock, start = 0, threading.Lock(), time.perf_counter() + 0.05

        def complain(number: int, reporter: str) -> None:
            nonlocal counted
            time.sleep(max(0.0, start + random.uniform(0, WITHIN_SECONDS) - time.perf_counter()))
            with lock:
                counted += 1
                mine = counted
            began = self.last_post = time.perf_counter()
            answer = self.clients[number].ask(complaint(target, reporter), THRESHOLD, WAIT_MS)
            found.append((mine, answer, time.perf_counter() - began))

        threads = [threading.Thread(target=complain, args=pair) for pair in enumerate(reporters)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def settled(self, target: str, seconds: float) -> tuple[dict[str, Any], float]:
        """The first answer that has nothing pending and does not say wait, and how long after the last post of the race
        it came; whatever is answered after `seconds`.
        """
        while True:
            answer = self.asker.get(f"/v1/targets/{target}?threshold={THRESHOLD}&wait=0")
            taken = time.perf_counter() - self.last_post
            if taken > seconds or not (answer["pending"] or answer["recommendation"] == "wait"):
                return answer, taken
            time.sleep(0.02)


def complaint(target: str, reporter: str) -> bytes:
    """One complaint, made now, in an article of its own."""
    document = {
        "id": f"{target}/{reporter}",
        "occurred_at": datetime.now(UTC).isoformat(),
        "reporter": {"id": reporter},
        "target": {"id": target, "context_id": f"article of {target}", "author_id": f"author of {target}"},
    }
    return to_json(document)


def moved(documents: Sequence[dict[str, Any]], field: str, end: datetime, shrink: float = 1.0) -> list[bytes]:
    """A world's documents as lines, their times moved so that it ends then, and takes `shrink` of its days."""
    last = START + timedelta(days=DAYS)
    return [
        to_json({**d, field: (end - (last - datetime.fromisoformat(d[field])) * shrink).isoformat()}) for d in documents
    ]


def load(client: Client, chosen: argparse.Namespace) -> None:
    """Post a world that ends some days ago, and wait until it is swept."""
    world = draw(chosen.generator, Wanted(chosen.seed, chosen.size))
    end = datetime.now(UTC) - timedelta(days=chosen.days_ago)
    for body in batches(moved(world.outcomes, "decided_at", end), 500):
        client.outcomes(body)
    position = 0
    for body in batches(moved(world.complaints, "occurred_at", end), 500):
        position = client.post(body)["position"]
    client.wait_until(position, swept=True)


def largest_group(client: Client) -> list[str]:
    """The members of the largest flagged group of at least BRIGADE accounts."""
    listed = client.get("/v1/clusters?kind=repeat&disposition=flagged&limit=100")["items"]
    largest = max(listed, key=lambda item: (item["reporter_count"], item["id"]), default=None)
    if largest is None or largest["reporter_count"] < BRIGADE:
        sys.exit(f"no flagged group of {BRIGADE} accounts in this world: choose another --seed or a larger --size")
    return list(client.get(f"/v1/clusters/{largest['id']}")["reporters"])


def allows(found: Sequence[tuple[int, dict[str, Any], float]]) -> int:
    """Answers that allow the removal."""
    return sum(counted >= THRESHOLD and answer["recommendation"] in ("none", "review") for counted, answer, _ in found)


def stopped(up: Installation, seconds: float) -> threading.Thread:
    """The workers of ingest and detect stand still for so long, from now on."""
    workers = [up.parts()[name] for name in ("worker-ingest", "worker-detect")]

    def stop() -> None:
        for worker in workers:
            worker.suspend()
        time.sleep(seconds)
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.resume()

    thread = threading.Thread(target=stop)
    thread.start()
    return thread


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--targets", type=int, default=50, help="new targets of each kind of race")
    parser.add_argument("--generator", choices=[*GENERATORS], default="newspaper", help="the world before the race")
    parser.add_argument("--seed", type=int, default=61, help="seed of that world")
    parser.add_argument("--size", type=int, default=6_000, help="complaints of that world")
    parser.add_argument("--days-ago", type=float, default=1.0, help="days before now at which that world ends")
    chosen = parser.parse_args()
    targets = 4 if chosen.quick else chosen.targets
    print_machine()
    random.seed(chosen.seed)
    with installation() as up:
        key = up.key()
        client = Client(up.url, key)
        load(client, chosen)
        known = largest_group(client)
        print(f"the largest flagged group has {len(known)} accounts", flush=True)
        race = Race(up, key, HONEST)
        met = [brigade(up, race, known, targets, chosen.quick), honest(race, known, targets, chosen.quick)]
    sys.exit(0 if all(met) or chosen.quick else 1)


def brigade(up: Installation, race: Race, known: Sequence[str], targets: int, quick: bool) -> bool:
    """The known brigade, with the workers stopped at half of the targets."""
    permitted, held, seconds, said = 0, 0, [], []
    for number in range(targets):
        standstill = stopped(up, STOPPED_SECONDS) if number == targets // 2 else None
        target = f"race-{number}"
        found = race.run(target, random.sample(list(known), BRIGADE))
        permitted += allows(found)
        said += [answer["recommendation"] for _, answer, _ in found]
        answer, taken = race.settled(target, 10.0)
        held += answer["recommendation"] == "hold" and answer["complaints"] == BRIGADE
        seconds.append(taken)
        if standstill is not None:
            standstill.join()
    print(f"a known brigade of {BRIGADE}: answers " + ", ".join(f"{w} {said.count(w)}" for w in sorted(set(said))))
    met = [
        show("  answers that allow the removal at 8", permitted, at_most=0, digits=0, quick=quick),
        show(f"  targets on hold in the end, of {targets}", held, at_least=targets, digits=0, quick=quick),
        show("  until nothing is pending, p95", quantile(seconds, 0.95), unit=" s", digits=2),
    ]
    return all(met)


def honest(race: Race, known: Sequence[str], targets: int, quick: bool) -> bool:
    """Thirty honest people, then thirty of whom four are of the known group."""
    met = []
    for name, members in (("thirty honest people", 0), ("thirty, four of them of the known group", 4)):
        agreed, waits = 0, []
        for number in range(targets):
            target = f"honest-{members}-{number}"
            people = [f"reader-{members}-{number}-{k}" for k in range(HONEST - members)]
            race.run(target, people + random.sample(list(known), members))
            answer, taken = race.settled(target, 10.0)
            waits.append(taken)
            agreed += answer["recommendation"] in ("none", "review") and taken <= 1.0
        print(f"{name}:")
        met += [
            show(f"  decided as usual within 1 s, of {targets}", agreed, at_least=targets, digits=0, quick=quick),
            show("  until nothing waits, p99", quantile(waits, 0.99), at_most=1.0, unit=" s", digits=2, quick=quick),
        ]
    return all(met)


if __name__ == "__main__":
    main()
