"""A retracted outcome leaves nothing behind, from the stream to the clusters, the reporters and what is reported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import RedisClients
from flow import Newspaper
from sqlalchemy import Engine, select
from worlds import DAY, Row, Town, document, draw_town

from service.moderation.reputation import Reputation
from service.moderation.track_record import TrackRecord
from service.settings import Settings
from service.storage.cases import restorations
from service.storage.complaints.reporters import read_reporter
from service.storage.sql import schema

NOW = datetime(2100, 1, 1, tzinfo=UTC)
ORDERS = ["after", "before", "at once", "before, at once", "twice", "with its own verdict, which is retracted"]


@pytest.fixture(scope="module")
def town() -> Town:
    return draw_town(2, members=12, complaints=700, readers=350, articles=40)


@pytest.fixture
def papers(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[tuple[Newspaper, Newspaper]]:
    both = Newspaper(fake_redis, engine, settings), Newspaper(fake_redis, engine, settings, "other")
    yield both
    for each in both:
        each.forgets()


def outcome(identity: str, target: str, at: float, **fields: Any) -> dict[str, Any]:
    decided_at = document(Row(1, 1, 1, at))["occurred_at"]
    return {"id": identity, "target_id": target, "decided_at": decided_at, **fields}


def raided(town: Town) -> list[str]:
    """The brigade's targets."""
    return sorted({f"t{row.target}" for row in town.rows if row.reporter in town.brigades[0]})


def posted(paper: Newspaper, town: Town) -> None:
    paper.posts([document(row) for row in town.rows], batch=300)
    paper.sweeps()


def clusters(paper: Newspaper) -> dict[frozenset[int], tuple[Any, ...]]:
    return {
        c.members: (c.disposition, c.score, c.unfounded_probability, c.evidence, c.settle_with, c.summary)
        for c in paper.clusters().values()
    }


def records(paper: Newspaper, town: Town) -> dict[str, tuple[TrackRecord, Reputation | None]]:
    with paper.engine.connect() as connection:
        people = {f"r{row.reporter}" for row in town.rows}
        found = {name: read_reporter(connection, paper.id, name, now=NOW) for name in people}
    return {name: (record.judged, record.reputation) for name, record in found.items()}


def states(paper: Newspaper) -> dict[str, str]:
    with paper.engine.connect() as connection:
        items, _ = restorations.list_restorations(connection, paper.id, None, after=None, limit=1000)
    return {item.target_id: item.state for item in items}


def warned(paper: Newspaper) -> set[str]:
    table = schema.reporter_warnings.c
    with paper.engine.connect() as connection:
        return set(connection.scalars(select(table.reporter_id).where(table.tenant_id == paper.id)))


def send(paper: Newspaper, order: str, upheld: list[dict[str, Any]], retractions: list[dict[str, Any]]) -> None:
    if order == "before":
        paper.posts(retractions)
        paper.posts(upheld)
    elif order == "at once":
        paper.posts([*upheld, *retractions])
    elif order == "before, at once":
        paper.posts([*retractions, *upheld])
    else:
        paper.posts(upheld)
        paper.posts(retractions)
    if order == "twice":
        paper.posts([*upheld, *retractions, *upheld])
    if order.startswith("with"):
        paper.posts(
            [{**one, "id": f"again-{one['id']}", "verdict": None, "retracts": one["id"]} for one in retractions]
        )


@pytest.mark.parametrize("order", ORDERS)
def test_clusters_records_and_reputations_are_as_without_it(
    papers: tuple[Newspaper, Newspaper], town: Town, order: str
) -> None:
    paper, other = papers
    alone = [Row(9_000 + k, r, 9_000 + k, 4 * DAY + 7_000 * k) for k, r in enumerate(sorted(town.brigades[0]))]
    others = [f"t{row.target}" for row in alone]
    for each in papers:
        each.posts([document(row) for row in sorted([*town.rows, *alone], key=lambda row: row.at)], batch=300)
        each.sweeps()
        each.posts(
            [
                outcome(f"kept-{t}", t, 8.1 * DAY, verdict=verdict)
                for t, verdict in [(raided(town)[0], "rejected"), (others[0], "upheld"), (others[1], "rejected")]
            ]
        )
    targets = raided(town)[1:9] + others
    upheld = [outcome(f"x-{t}", t, 8.2 * DAY, verdict="upheld", action="kept") for t in targets]
    verdict = "rejected" if order.startswith("with") else None
    retractions = [outcome(f"r-{t}", t, 8.3 * DAY, verdict=verdict, retracts=f"x-{t}") for t in targets]
    before = clusters(paper)
    assert before == clusters(other)
    if order == "after":
        paper.posts(upheld)
        paper.sweeps()
        assert clusters(paper) != before and records(paper, town) != records(other, town), "it had taught something"
        assert {e.signal for c in clusters(paper).values() for e in c[3]} >= {"outcomes", "record"}
    send(paper, order, upheld, retractions)
    for each in papers:
        each.sweeps()
    assert clusters(paper) == clusters(other) != {}
    assert records(paper, town) == records(other, town)
    for each in papers:
        each.forgets()
        each.sweeps()
    assert clusters(paper) == clusters(other), "and so it is for a worker that begins anew"


def test_a_score_is_put_right_when_the_retraction_arrives_not_at_the_next_sweep(
    papers: tuple[Newspaper, Newspaper], town: Town
) -> None:
    paper, _ = papers
    posted(paper, town)
    before = clusters(paper)
    targets = raided(town)[:8]
    paper.posts([outcome(f"x-{t}", t, 8.2 * DAY, verdict="upheld", action="kept") for t in targets])
    assert {c[0] for c in clusters(paper).values()} == {"reliable"}
    paper.posts([outcome(f"r-{t}", t, 8.3 * DAY, retracts=f"x-{t}") for t in targets])
    assert clusters(paper) == before and {c[0] for c in before.values()} == {"flagged"}


def test_a_restoration_is_open_again_when_what_confirmed_the_removal_is_retracted(
    papers: tuple[Newspaper, Newspaper], town: Town
) -> None:
    paper, _ = papers
    posted(paper, town)
    target = next(t for t in raided(town) if paper.asks(t).recommendation == "hold")
    paper.posts([outcome("o", target, 8.1 * DAY, action="removed", decided_by="automatic")])
    paper.posts([outcome("p", target, 8.2 * DAY, verdict="upheld")])
    assert states(paper) == {target: "stands"}
    paper.posts([outcome("r", target, 8.3 * DAY, retracts="p")])
    assert states(paper) == {target: "open"}
    paper.posts([outcome("s", target, 8.4 * DAY, action="kept", retracts="o")])
    assert states(paper) == {target: "restored"}


def test_a_warning_is_suggested_or_no_longer_by_what_is_left(papers: tuple[Newspaper, Newspaper], town: Town) -> None:
    paper, _ = papers
    posted(paper, town)
    targets = raided(town)
    paper.posts([outcome(f"o-{t}", t, 8.1 * DAY, verdict="rejected", action="kept") for t in targets])
    paper.posts([outcome(f"p-{t}", t, 8.2 * DAY, verdict="upheld") for t in targets[::2]])
    paper.sweeps()
    assert warned(paper) == set(), "half of their complaints are right"
    paper.posts([outcome(f"r-{t}", t, 8.3 * DAY, retracts=f"p-{t}") for t in targets[::2]])
    paper.sweeps()
    assert len(warned(paper)) >= 8
    paper.posts([outcome(f"s-{t}", t, 8.4 * DAY, retracts=f"o-{t}") for t in targets])
    paper.sweeps()
    assert warned(paper) == set()
