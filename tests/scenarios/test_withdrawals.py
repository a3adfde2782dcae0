"""Flag, unflag, flag: a withdrawn complaint counts nowhere, gains nothing, and is kept as evidence that it was
there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Api, RedisClients
from flow import Newspaper
from sqlalchemy import Engine, select
from worlds import DAY, Row, Town, document, draw_town

from service.settings import Settings
from service.storage.accounts.tenants import create_key
from service.storage.sql import schema
from workers import ingest


@pytest.fixture(scope="module")
def town() -> Town:
    return draw_town(2, members=12, complaints=700, readers=350, articles=40)


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


class Desk:
    """The platform's side: everything over HTTP, the workers run in between."""

    def __init__(self, api: Api, paper: Newspaper) -> None:
        self.api, self.paper = api, paper
        self.key = create_key(paper.engine, paper.name, ["ingest", "read", "moderate"], "desk", 1)

    def flags(self, *rows: Row, **fields: Any) -> None:
        assert (
            self.api.post("/v1/complaints", key=self.key, json=[{**document(r), **fields} for r in rows]).status_code
            == 202
        )
        self.paper.works()

    def unflags(self, *ids: str) -> None:
        for identity in ids:
            assert self.api.request("DELETE", f"/v1/complaints/{identity}", key=self.key).status_code == 202
        self.paper.works()

    def asks(self, target: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/v1/targets/{target}", key=self.key).json()
        return found

    def brief(self, target: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/v1/targets/{target}/brief", key=self.key).json()
        return found

    def reporter(self, reporter: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/v1/reporters/{reporter}", key=self.key).json()
        return found


@pytest.fixture
def desk(api: Api, paper: Newspaper) -> Desk:
    return Desk(api, paper)


def test_flag_unflag_flag_gains_nothing(desk: Desk) -> None:
    desk.flags(Row(1, 1, 1, 0), Row(2, 2, 1, 60))
    for n in range(10, 20):
        desk.flags(Row(n, 1, 1, float(n)))
        desk.unflags(f"c{n}")
    desk.unflags("c1")
    assert desk.asks("t1")["complaints"] == 1
    desk.flags(Row(30, 1, 1, 3_600))
    answer = desk.asks("t1")
    assert (answer["complaints"], answer["independent_complaints"]) == (2, 2.0), "one voice, as before"
    history = desk.reporter("r1")
    assert (history["complaints"], history["withdrawn"], history["standing"], history["repeats"]) == (12, 11, 1, 0)


def test_a_new_complaint_after_a_withdrawal_counts_from_its_own_time(desk: Desk, paper: Newspaper) -> None:
    desk.flags(Row(1, 1, 1, 0))
    desk.unflags("c1")
    desk.flags(Row(2, 1, 1, 2 * DAY))
    brief = desk.brief("t1")
    assert (
        brief["complaints"]["first_at"]
        == brief["complaints"]["last_at"]
        == document(Row(2, 1, 1, 2 * DAY))["occurred_at"].replace(".000", "")
    )
    decided_before = {
        "id": "o1",
        "target_id": "t1",
        "decided_at": document(Row(9, 9, 9, DAY))["occurred_at"],
        "verdict": "rejected",
    }
    assert desk.api.post("/v1/outcomes", key=desk.key, json=decided_before).status_code == 202
    paper.works()
    assert desk.reporter("r1")["rejected"] == 0, "the verdict was about the withdrawn one, and no longer teaches"


def test_a_withdrawn_id_never_revives_whichever_comes_first(desk: Desk) -> None:
    desk.unflags("c1")
    desk.flags(Row(1, 1, 1, 0))
    desk.flags(Row(1, 1, 1, 0))
    assert desk.asks("t1")["complaints"] == 0
    brief = desk.brief("t1")
    assert (
        brief["complaints"]["withdrawn"] == 1
        and brief["complaints"]["standing"] == 0
        and "1 more complaint was withdrawn and counted nowhere." in brief["text"]
    )
    assert (desk.reporter("r1")["withdrawn"], desk.reporter("r1")["standing"]) == (1, 0)


def test_a_notice_that_was_withdrawn_is_no_notice_any_more(desk: Desk) -> None:
    desk.flags(Row(1, 1, 1, 0), notice_type="illegal_content", reason="hate")
    assert desk.brief("t1")["statement_of_reasons"]["source_type"] == "SOURCE_ARTICLE_16"
    desk.unflags("c1")
    brief = desk.brief("t1")
    assert (
        brief["statement_of_reasons"]["source_type"] is None
        and brief["complaints"]["illegal_content_notices"] == 0
        and brief["complaints"]["reasons"] == {}
    )


def test_what_a_brigade_takes_back_counts_in_no_total_cluster_brief_or_evidence(
    desk: Desk, paper: Newspaper, town: Town
) -> None:
    paper.posts([document(r) for r in town.rows], batch=500)
    paper.sweeps()
    ((identity, _),) = paper.clusters().items()
    mine = [r for r in town.rows if r.reporter in town.brigades[0]]
    target = f"t{mine[0].target}"
    honest = sum(f"t{r.target}" == target and r.reporter not in town.brigades[0] for r in town.rows)
    member = f"r{mine[0].reporter}"
    filed = desk.reporter(member)["complaints"]
    left = [r for r in mine if f"t{r.target}" != target]
    desk.unflags(*(f"c{r.seq}" for r in mine if f"t{r.target}" == target))
    answer = desk.asks(target)
    assert (answer["complaints"], answer["independent_complaints"], answer["clusters"]) == (honest, float(honest), [])
    assert target not in desk.api.get(f"/v1/clusters/{identity}", key=desk.key).json()["targets"]
    assert desk.brief(target)["clusters"] == [] and desk.brief(target)["complaints"]["withdrawn"] == len(mine) - len(
        left
    )
    graph = desk.api.get(f"/v1/clusters/{identity}/graph", key=desk.key).json()
    assert all(node["name"] != target for node in graph["nodes"])
    desk.unflags(*(f"c{r.seq}" for r in left))
    revoked = desk.api.get(f"/v1/clusters/{identity}", key=desk.key).json()
    assert revoked["disposition"] == "revoked" and "withdrawn" in revoked["revoked_because"]
    for t in {f"t{r.target}" for r in mine}:
        assert desk.asks(t)["clusters"] == [] and desk.asks(t)["complaints"] == desk.asks(t)["independent_complaints"]
    history = desk.reporter(member)
    assert (history["complaints"], history["withdrawn"], history["standing"]) == (
        filed,
        filed,
        0,
    ), "kept as evidence, and told"
    with paper.engine.connect() as connection:
        rows = (
            connection.execute(
                select(schema.complaints.c.state).where(
                    schema.complaints.c.tenant_id == paper.id, schema.complaints.c.reporter_id == member
                )
            )
            .scalars()
            .all()
        )
    assert rows == [schema.WITHDRAWN] * filed


def test_flagging_again_under_new_ids_is_found_again(desk: Desk, paper: Newspaper, town: Town) -> None:
    paper.posts([document(r) for r in town.rows], batch=500)
    paper.sweeps()
    mine = [r for r in town.rows if r.reporter in town.brigades[0]]
    before = {f"t{r.target}": desk.asks(f"t{r.target}") for r in mine}
    desk.unflags(*(f"c{r.seq}" for r in mine))
    paper.posts([{**document(r), "id": f"again-{r.seq}"} for r in mine], batch=500)
    paper.sweeps()
    for target, answer in before.items():
        again = desk.asks(target)
        assert again["complaints"] == answer["complaints"] and again["independent_complaints"] == pytest.approx(
            answer["independent_complaints"], abs=1.0
        ), target
        assert again["recommendation"] == answer["recommendation"]


def test_a_complaint_and_its_withdrawal_in_one_batch_leave_nothing_but_the_archive(
    desk: Desk, paper: Newspaper
) -> None:
    desk.flags(Row(2, 2, 2, 10))
    assert desk.api.post("/v1/complaints", key=desk.key, json=document(Row(1, 1, 1, 0))).status_code == 202
    assert desk.api.request("DELETE", "/v1/complaints/c1", key=desk.key).status_code == 202
    while paper.waiting():
        ingest.run(paper.name, paper.resources)
    paper.works()
    assert desk.asks("t1")["complaints"] == 0 and desk.reporter("r1")["withdrawn"] == 1
