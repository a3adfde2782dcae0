"""Measure the server time of the console's queue with very many cases.

    .venv/bin/python bench/console_queue.py [--cases 10000] [--requests 40] [--quick]

A tenant with `--cases` cases is written directly into a temporary SQLite database: 30 accounts and 6 targets per case
on average, with four tenths of all possible complaints; five queues, tags and five saved filters. The queries are those
of moderators: every tab, sorts, filters, the second page. The time runs from the request of a signed-in person inside
the application to the last byte of HTML, without a network; nothing is cached between requests except by the service
itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import fakeredis
import httpx
import numpy as np
from figures import parser_of, print_machine, quantile, show
from sqlalchemy import Connection, Engine

from service.app import create_app
from service.data_folder import prepare
from service.model import Evidence, microseconds
from service.policy import DEFAULT_POLICY
from service.settings import read_settings
from service.storage.accounts import sessions
from service.storage.accounts.passwords import hash_password
from service.storage.accounts.tenants import create_tenant
from service.storage.accounts.users import create_user
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.complaints.archive_rows import COMPLAINT_COLUMNS
from service.storage.sql import schema
from service.storage.sql.engine import insert_rows, write
from service.storage.sql.hashing import key_of

BAR_MS = 150.0
TENANT, PERSON = "default", "anna"
TEXT = (
    "%d accounts complained about the same %d targets; up to %d of them within one hour, where %.1f are usual; %d of %d"
    " targets are by author a-%d, where 0.%d %% are; acting together, not judged yet."
)
STATES = (
    ("open", None, 0.35),
    ("decided", "coordinated", 0.4),
    ("decided", "not_coordinated", 0.15),
    ("escalated", None, 0.02),
    ("snoozed", None, 0.08),
)


def plant(engine: Engine, cases: int, now: datetime, seed: int = 1) -> int:
    """Write the cases of a new tenant; how many complaints they have."""
    rng = np.random.default_rng(seed)
    tenant_id = create_tenant(engine, TENANT, microseconds(now))
    members = [(f"r-{k}", key_of(f"r-{k}")) for k in range(4_000)]
    states = rng.choice(len(STATES), cases, p=[share for _, _, share in STATES])
    clusters, reporters, targets, complaints, archived, claims = [], [], [], [], [], []
    seq = 0
    for number in range(cases):
        status, verdict, _ = STATES[states[number]]
        of, on = int(rng.integers(3, 57)), int(rng.integers(2, 11))
        last = now - timedelta(hours=float(rng.exponential(400)))
        first = last - timedelta(hours=float(rng.exponential(72)) + 0.1)
        first_us, last_us, case = microseconds(first), microseconds(last), f"k{number:015x}"
        score = float(rng.gamma(4, 2))
        disposition = "revoked" if verdict == "not_coordinated" else "flagged"
        clusters.append(
            (
                case,
                tenant_id,
                "one_shot" if number % 9 == 0 else "repeat",
                disposition,
                status,
                microseconds(now + timedelta(days=2)) if status == "snoozed" else None,
                score,
                0.97,
                0.6,
                "[]",
                first_us,
                last_us,
                of,
                on,
                TEXT % (of, on, of // 2, score / 10, on, on, number % 400, number % 90),
                _evidence(score),
                DEFAULT_POLICY.version,
                1,
                verdict,
                last_us,
            )
        )
        if status == "open" and number % 11 == 0:
            claims.append((case, tenant_id, PERSON if number % 33 == 0 else "ben", last_us))
        chosen = rng.choice(len(members), of, replace=False)
        names = [f"t-{number}-{k}" for k in range(on)]
        reporters += [(case, members[k][1], tenant_id, members[k][0], False) for k in chosen]
        targets += [(case, key_of(name), tenant_id, name, f"a-{number % 400}") for name in names]
        times = rng.integers(first_us, last_us + 1, (of, on))
        for row, column in zip(*np.nonzero(rng.random((of, on)) < 0.4), strict=True):
            seq += 1
            complaints.append(
                (
                    case,
                    tenant_id << SEQ_BITS | seq,
                    tenant_id,
                    members[chosen[row]][1],
                    key_of(names[column]),
                    int(times[row, column]),
                    False,
                    False,
                )
            )
            archived.append(_archived(tenant_id, seq, int(times[row, column]), members[chosen[row]], names[column]))
    with write(engine) as connection:
        names_of_columns = (
            "id",
            "tenant_id",
            "kind",
            "disposition",
            "status",
            "snooze_until_us",
            "score",
            "probability",
            "unfounded_probability",
            "settle_with",
            "first_us",
            "last_us",
            "reporter_count",
            "target_count",
            "summary",
            "evidence",
            "policy_version",
            "version",
            "verdict",
            "found_us",
        )
        insert_rows(connection, schema.clusters, names_of_columns, clusters)
        insert_rows(
            connection,
            schema.cluster_members,
            ("cluster_id", "reporter_key", "tenant_id", "reporter_id", "excluded"),
            reporters,
        )
        insert_rows(
            connection,
            schema.cluster_targets,
            ("cluster_id", "target_key", "tenant_id", "target_id", "author_id"),
            targets,
        )
        insert_rows(
            connection,
            schema.cluster_complaints,
            ("cluster_id", "row_key", "tenant_id", "reporter_key", "target_key", "occurred_us", "exempt", "gone"),
            complaints,
        )
        insert_rows(connection, schema.complaints, COMPLAINT_COLUMNS, archived)
        insert_rows(connection, schema.claims, ("cluster_id", "tenant_id", "by", "at_us"), claims)
        _plant_team(connection, tenant_id, [row[0] for row in clusters])
        person = create_user(
            connection,
            tenant_id,
            PERSON,
            "moderator",
            hash_password("correct horse battery"),
            actor="bench",
            now_us=microseconds(now),
        )
        _save_filters(connection, tenant_id, person.id)
    return seq


def _archived(
    tenant_id: int, seq: int, at_us: int, reporter: tuple[str, int], target: str
) -> tuple[int | str | bool | None, ...]:
    row_key = tenant_id << SEQ_BITS | seq
    about = (reporter[1], key_of(target), schema.STANDING, False, reporter[0], target)
    return (row_key, tenant_id, f"c-{seq}", at_us, at_us, *about, _content(seq, reporter[0], target), None)


def _content(number: int, reporter: str, target: str) -> str:
    return json.dumps(
        {
            "id": f"c-{number}",
            "occurred_at": "2026-11-22T10:00:00Z",
            "reporter": {"id": reporter, "trusted": False},
            "target": {
                "id": target,
                "kind": "comment",
                "author_id": f"a-{number % 400}",
                "context_id": f"article-{number % 90}",
                "context_title": f"What the council decided about the tram line, part {number % 90}",
                "context_url": f"https://news.example/articles/{number % 90}",
                "url": f"https://news.example/comments/{number}",
                "excerpt": "The council has never once kept such a promise. " * 8,
            },
            "reason": "insult",
        }
    )


def _plant_team(connection: Connection, tenant_id: int, cases: list[str]) -> None:
    """Five queues that hold every case but a sixth, and a tag on every seventh."""
    queues = [(tenant_id, place, f"queue {place}", "{}", "[]") for place in range(5)]
    insert_rows(connection, schema.queues, ("tenant_id", "place", "name", "conditions", "user_ids"), queues)
    placed = [
        (case, tenant_id, k % 6 or None, 1 if k % 40 == 0 else None, False, False, "{}", "1/1/1")
        for k, case in enumerate(cases)
    ]
    names = ("cluster_id", "tenant_id", "queue_id", "user_id", "moved", "assigned", "facts", "facts_of")
    insert_rows(connection, schema.case_placements, names, placed)
    tagged = [(tenant_id, case, f"tag {k % 50}", PERSON, 0) for k, case in enumerate(cases) if k % 7 == 0]
    insert_rows(connection, schema.case_tags, ("tenant_id", "cluster_id", "tag", "by", "at_us"), tagged)


def _save_filters(connection: Connection, tenant_id: int, user_id: int) -> None:
    """Five views that everybody sees with their counts."""
    views = ({}, {"tab": "all"}, {"tab": "decided"}, {"min_score": "12"}, {"tab": "all", "in_queue": "1"})
    saved = [(tenant_id, user_id, True, f"view {k}", json.dumps(view)) for k, view in enumerate(views)]
    insert_rows(connection, schema.saved_filters, ("tenant_id", "user_id", "shared", "name", "parameters"), saved)


def _evidence(score: float) -> str:
    signals = (
        ("lockstep", score * 0.4),
        ("burst", score * 0.3),
        ("aim", score * 0.2),
        ("fingerprint", score * 0.1),
        ("fresh", 0.0),
    )
    return json.dumps(
        [
            Evidence(
                signal=name,
                value=0.83,
                usual=0.05,
                p_value=1e-9,
                contribution=part,
                text=f"{name}: 83 % of the members do, where 5 % are usual in this tenant's window",
            ).model_dump()
            for name, part in signals
        ]
    )


def questions() -> dict[str, dict[str, str]]:
    """The queries by name."""
    return {
        "New, strongest first": {},
        "New, waiting longest first": {"sort": "found_at"},
        "Mine": {"tab": "mine"},
        "Escalated": {"tab": "escalated"},
        "Decided": {"tab": "decided"},
        "All": {"tab": "all"},
        "All, most accounts first": {"tab": "all", "sort": "-reporter_count"},
        "words in the summary": {"tab": "all", "text": "author a-17,"},
        "a score from 12": {"min_score": "12"},
        "one reporter": {"tab": "all", "reporter": "r-77"},
        "one author": {"tab": "all", "author": "a-17"},
        "one queue": {"tab": "all", "in_queue": "1"},
        "one tag": {"tab": "all", "tag": "tag 7"},
        "a week": {"tab": "all", "since": "2026-11-10", "until": "2026-11-17"},
    }


async def ask(engine: Engine, folder: str, requests: int, now: datetime) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each answer, by question: by the clock, and of this process's CPU (what a machine with nothing
    else to do would take).
    """
    with write(engine) as connection:
        attempt = sessions.begin_attempt(connection, TENANT, PERSON, "127.0.0.1", microseconds(now))
        assert attempt.user_id is not None
        token = sessions.open_session(
            connection, attempt.user_id, attempt.password_hash or "", "127.0.0.1", microseconds(now)
        )
    app = create_app(read_settings(Path(folder), {}), engine=engine, redis=fakeredis.FakeAsyncRedis())
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in (*questions(), "the second page")}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", headers={"Cookie": f"brigadewatch={token}"}
    ) as client:
        for turn in range(requests + 1):  # the first turn compiles templates and opens connections
            for name, parameters in questions().items():
                taken, text = await _timed(client, f"/console/clusters?{urlencode(parameters)}")
                if turn:
                    took[name].append(taken)
                if name == "All":
                    following = (
                        text.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
                    )
                    taken, _ = await _timed(client, following)
                    if turn:
                        took["the second page"].append(taken)
    return took


async def _timed(client: httpx.AsyncClient, path: str) -> tuple[tuple[float, float], str]:
    started, worked = time.perf_counter(), time.process_time()
    answer = await client.get(path)
    taken = (time.perf_counter() - started) * 1_000, (time.process_time() - worked) * 1_000
    assert answer.status_code == 200, answer.text[:500]
    assert "data-case=" in answer.text, path
    return taken, answer.text


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="cases of the tenant")
    parser.add_argument("--requests", type=int, default=40, help="requests for each query")
    chosen: argparse.Namespace = parser.parse_args()
    if chosen.quick:
        chosen.cases, chosen.requests = 1_000, 5
    print_machine()
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="brigadewatch-queue-") as folder:
        engine = prepare(read_settings(Path(folder), {}))
        started = time.perf_counter()
        complaints = plant(engine, chosen.cases, now)
        print(
            f"{chosen.cases:,} cases with {complaints:,} complaints, written in {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        took = asyncio.run(ask(engine, folder, chosen.requests, now))
        engine.dispose()
    for name, values in took.items():
        show(f"{name}: p50 of CPU", quantile([cpu for _, cpu in values], 0.5), unit=" ms", quick=chosen.quick)
        show(
            f"{name}: p95", quantile([wall for wall, _ in values], 0.95), at_most=BAR_MS, unit=" ms", quick=chosen.quick
        )
    every = [one for values in took.values() for one in values]
    show(
        "all questions together: p95 of CPU", quantile([cpu for _, cpu in every], 0.95), unit=" ms", quick=chosen.quick
    )
    show(
        "all questions together: p95",
        quantile([wall for wall, _ in every], 0.95),
        at_most=BAR_MS,
        unit=" ms",
        quick=chosen.quick,
    )


if __name__ == "__main__":
    main()
