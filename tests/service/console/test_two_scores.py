"""The coordination score, which the threshold is for, and the priority, by which lists are sorted, are kept apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from case_scenes import EVIDENCE, put_case
from case_world import START
from conftest import Api, RedisClients
from console_world import sign_in
from sqlalchemy import select

from service.model import DecisionRequest, Evidence
from service.moderation.score import coordination
from service.storage.accounts.tenants import tenant_id
from service.storage.cases.case_decisions import record_decision
from service.storage.sql.engine import write
from service.storage.sql.schema import events

GATED = coordination([Evidence.model_validate(e) for e in EVIDENCE])
PRIORITY = 23.4


def test_the_number_that_is_gated_is_the_number_that_is_shown(
    fake_redis: RedisClients, make_api: Callable[..., Api]
) -> None:
    api = make_api(fake_redis)
    api.app.state.api.now = lambda: START + timedelta(days=7)
    api.key("default")
    tenant = tenant_id(api.engine, "default")
    put_case(api.engine, tenant, score=PRIORITY)
    visitor, gated = sign_in(api), f"{GATED:.1f}"
    queue = visitor.get("/console/clusters").text
    assert f'<span class="score-number">{gated}</span>' in queue and '<td class="n" data-label="Priority">23.4' in queue
    assert re.search(r'aria-sort="descending"><a[^>]*>Priority', queue), "the list is sorted by what it says"
    case = visitor.get("/console/clusters/k1").text
    assert f"coordination score {gated}" in case and f"add up to the coordination score, {gated}: above 0" in case
    assert "add up to the priority, 23.4" in case
    printed = visitor.get("/console/clusters/k1/print").text
    assert (
        f"<dt>Coordination score (log-odds)</dt><dd>{gated}</dd>" in printed and "<dt>Priority</dt><dd>23.4" in printed
    )
    told = visitor.get("/console/clusters/k1/export.json").json()["cluster"]
    asked = api.get("/v1/clusters/k1").json()
    for document in (told, asked):
        assert (document["coordination_score"], document["score"]) == (pytest.approx(GATED), PRIORITY)
    with write(api.engine) as connection:
        request = DecisionRequest(verdict="coordinated", reason_code="brigade", version=asked["version"])
        record_decision(connection, tenant, "k1", request, decision_id="d1", by="ann", now=api.app.state.api.now())
        data = json.loads(str(connection.scalar(select(events.c.data))))
    assert (data["coordination_score"], data["score"]) == (pytest.approx(GATED), PRIORITY)
