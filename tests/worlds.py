"""Small seeded worlds in the columns that detection takes, and documents in the service's own format for the flow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from service.intake.text_fingerprints import signature_of
from service.storage.sql.hashing import key_of
from workers.detection.groups import Group
from workers.detection.window import UNKNOWN_MS, Complaints

START = datetime(2026, 3, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Row:
    """One complaint; times in seconds after START, 0 where nothing was told."""

    seq: int
    reporter: int
    target: int
    at: float
    context: int = 0
    author: int = 0
    created: float | None = None
    fingerprint: int = 0
    exempt: bool = False
    text: str | None = None

    @property
    def time_ms(self) -> int:
        return START_MS + round(self.at * 1000)


def columns(rows: Sequence[Row]) -> Complaints:
    """The rows as columns, in their order."""

    def ints(values: Iterable[int]) -> Any:
        return np.array(list(values), np.int64)

    return Complaints(
        ints(r.seq for r in rows),
        ints(r.time_ms for r in rows),
        ints(r.reporter for r in rows),
        ints(r.target for r in rows),
        ints(r.context for r in rows),
        ints(r.author for r in rows),
        ints(UNKNOWN_MS if r.created is None else START_MS + round(r.created * 1000) for r in rows),
        ints(r.fingerprint for r in rows),
        np.array([r.exempt for r in rows], bool),
        {r.seq: signature for r in rows if r.text is not None and (signature := signature_of(r.text)) is not None},
    )


@dataclass(frozen=True, slots=True)
class Town:
    """Readers of articles, and brigades among them; rows in time order, seq from 1."""

    rows: list[Row]
    brigades: list[frozenset[int]]


def draw_town(
    seed: int,
    *,
    brigades: int = 1,
    members: int = 8,
    hits: int = 16,
    complaints: int = 1_500,
    readers: int = 700,
    articles: int = 80,
    days: float = 8,
    contexts: bool = True,
) -> Town:
    """Readers who complain in sittings at articles, and `brigades` groups that come to `hits` comments of many articles
    within minutes.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[int, int], Row] = {}

    def add(reporter: int, comment: int, at: float) -> None:
        context = 10_000 + comment // 10 if contexts else 0
        drawn.setdefault(
            (reporter, comment),
            Row(
                0,
                reporter,
                comment,
                round(float(at), 3),
                context,
                20_000 + comment % 37,
                -400 * DAY + reporter * HOUR,
                0,
            ),
        )

    published = rng.uniform(0, (days - 1) * DAY, articles)
    while len(drawn) < complaints:
        article, reader = int(rng.integers(articles)), 1 + int(readers * rng.random() ** 2)
        at = published[article] + rng.exponential(5 * HOUR)
        for comment in rng.choice(10, int(rng.integers(1, 4)), replace=False):
            if at < days * DAY:
                add(reader, 1_000 + 10 * article + int(comment), at)
            at += rng.exponential(60)
    groups = []
    for number in range(brigades):
        people = range(5_000 + 100 * number, 5_000 + 100 * number + members)
        groups.append(frozenset(people))
        for comment in rng.choice(articles, hits, replace=False):
            at = published[comment] + rng.uniform(HOUR, 10 * HOUR)
            for person in people:
                if rng.random() < 0.9:
                    add(person, 1_000 + 10 * int(comment) + number, at + rng.exponential(240))
    ordered = sorted(drawn.values(), key=lambda r: (r.at, r.reporter, r.target))
    return Town([replace(row, seq=k) for k, row in enumerate(ordered, 1)], groups)


def members_of(groups: Iterable[Group]) -> set[frozenset[int]]:
    """The groups as sets of reporters: what two runs are compared by."""
    return {g.reporters for g in groups}


def document(row: Row) -> dict[str, Any]:
    """The row as a platform would post it."""

    def at(seconds: float) -> str:
        return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    reporter: dict[str, Any] = {"id": f"r{row.reporter}"}
    target: dict[str, Any] = {"id": f"t{row.target}"}
    if row.created is not None:
        reporter["account_created_at"] = at(row.created)
    if row.fingerprint:
        reporter["fingerprint"] = f"f{row.fingerprint}"
    if row.exempt:
        reporter["trusted"] = True
    if row.author:
        target["author_id"] = f"a{row.author}"
    if row.context:
        target["context_id"] = f"x{row.context}"
    body: dict[str, Any] = {"id": f"c{row.seq}", "occurred_at": at(row.at), "reporter": reporter, "target": target}
    if row.text is not None:
        body["text"] = row.text
    return body


def keys_of(ids: Iterable[str]) -> frozenset[int]:
    """Ids as the keys that clusters hold."""
    return frozenset(key_of(i) for i in ids)
