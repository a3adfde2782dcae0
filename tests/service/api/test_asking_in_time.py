"""Asking after a position, and with a post: the answer contains the complaint just made, or says that it waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from service.api.analysis_waiters import AnalysisWaiters
from service.storage.redis_store import hurry, redis_keys, stream
from service.storage.redis_store.assessments import write_progress, write_totals
from service.storage.redis_store.unseen import replace_known_members
from service.storage.sql.hashing import key_of
from tests.conftest import Api, RedisClients
from tests.service.api.test_submissions import complaint, is_problem


def posted(api: Api, number: int, *, target: str = "t") -> int:
    """So many complaints by different people about a target; the last one's position."""
    documents = [complaint(f"{target}-{n}", reporter={"id": f"r{n}"}, target={"id": target}) for n in range(number)]
    return int(api.post("/v1/complaints", json=documents).json()["position"])


def analyse(api: Api, position: int, **totals: int) -> None:
    """As a tick leaves it."""
    write_totals(api.redis.blocking, "default", {key_of(target): n for target, n in totals.items()})
    write_progress(api.redis.blocking, "default", archived=position, analysed=position)


def test_an_answer_that_does_not_contain_the_complaints_waits_and_asks_to_come_again(api: Api) -> None:
    position = posted(api, 8)
    before = time.monotonic()
    answer = api.get(f"/v1/targets/t?threshold=8&after={position}&wait=150").json()
    assert 0.15 <= time.monotonic() - before < 2
    assert {k: answer[k] for k in ("recommendation", "pending", "complaints", "unseen", "retry_after_ms")} == {
        "recommendation": "wait",
        "pending": True,
        "complaints": 0,
        "unseen": 8,
        "retry_after_ms": 251,
    }
    assert api.get("/v1/targets/t?threshold=8").json()["recommendation"] == "hold", "an installed client holds"
    assert api.get("/v1/targets/t?threshold=9&after=0").json()["recommendation"] == "none"


def test_what_is_analysed_is_answered_at_once(api: Api) -> None:
    position = posted(api, 8)
    analyse(api, position, t=8)
    before = time.monotonic()
    answer = api.get(f"/v1/targets/t?threshold=8&after={position}&wait=5000").json()
    assert time.monotonic() - before < 4, "it did not wait for its five seconds"
    assert (answer["recommendation"], answer["pending"], answer["unseen"]) == ("none", False, 0)
    posted(api, 1, target="another")
    assert not api.get(f"/v1/targets/t?after={position}").json()["pending"], "up to there all is analysed"
    assert api.get("/v1/targets/t").json()["pending"]


def test_the_answer_comes_as_soon_as_the_position_is_analysed(api: Api) -> None:
    position = posted(api, 3)

    async def ask_and_analyse() -> tuple[Any, float]:
        headers = {"Authorization": f"Bearer {api.key()}"}
        asked = asyncio.create_task(api.client.get(f"/v1/targets/t?after={position}&wait=5000", headers=headers))
        await asyncio.sleep(0.2)
        assert not asked.done()
        analyse(api, position, t=3)
        began = time.monotonic()
        return (await asked).json(), time.monotonic() - began

    answer, seconds = api.redis.run(ask_and_analyse())
    assert (answer["complaints"], answer["pending"]) == (3, False)
    assert seconds < 4, "it did not wait for its five seconds"


def test_many_targets_wait_for_one_position(api: Api) -> None:
    position = posted(api, 8)
    body = {"target_ids": ["t", "u"], "threshold": 8, "after": position, "wait": 20}
    items = api.post("/v1/targets/assess", json=body).json()["items"]
    assert [(item["recommendation"], item["pending"]) for item in items] == [("wait", True), ("none", True)]
    analyse(api, position, t=8)
    items = api.post("/v1/targets/assess", json=body).json()["items"]
    assert [(item["recommendation"], item["pending"]) for item in items] == [("none", False), ("none", False)]


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=1.5", "after=1&after=1", "wait=5001", "wait=-1", "counted=-1"]
)
def test_what_is_no_position_or_too_long_a_wait_is_refused(api: Api, query: str) -> None:
    problem = is_problem(api.get(f"/v1/targets/t?{query}"), 422)
    assert problem["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


def test_a_position_that_no_post_answered_is_refused_and_after_a_restore_it_is_tried_again(api: Api) -> None:
    position = posted(api, 2)
    problem = is_problem(api.get(f"/v1/targets/t?after={position + 1}&wait=5000"), 422)
    assert f"beyond the last position, {position}" in problem["detail"]
    api.redis.blocking.set(redis_keys.restored("default"), 1)
    is_problem(api.get(f"/v1/targets/t?after={position + 1}&wait=5000"), 503)


def test_another_tenants_position_is_a_number_like_any_other(api: Api) -> None:
    theirs = [
        api.post("/v1/complaints", json=[complaint(f"c{n}")], tenant="other").json()["position"] for n in range(5)
    ]
    posted(api, 1)
    is_problem(api.get(f"/v1/targets/t?after={theirs[-1]}"), 422)


def test_a_decision_that_is_not_taken_in_yet_is_pending(api: Api) -> None:
    analyse(api, posted(api, 1), t=1)
    api.redis.blocking.hset(redis_keys.progress("default"), mapping={"decided": 7, "taken": 6})
    assert api.get("/v1/targets/t").json()["pending"]
    write_progress(api.redis.blocking, "default", taken=7)
    assert not api.get("/v1/targets/t").json()["pending"]


def test_known_members_make_the_answer_provisional_at_once(api: Api, settings: Any) -> None:
    filters = api.app.state.api.privacy_filters
    posted(api, 1, target="before")  # makes the tenant's key
    secret = api.redis.run(filters.of(1)).key
    replace_known_members(api.redis.blocking, "default", secret, [key_of("r0")])
    position = posted(api, 3)
    analyse(api, position - 3, t=9)
    assert api.get("/v1/targets/t?threshold=8&counted=9").json()["recommendation"] == "wait"
    assert api.get("/v1/targets/t?threshold=8").json()["recommendation"] == "hold"
    analyse(api, position, t=12)
    assert api.get("/v1/targets/t?threshold=8&counted=9").json()["recommendation"] == "none"


def test_a_post_that_asks_is_answered_for_each_target_in_order(api: Api) -> None:
    documents = [complaint(f"c{n}", reporter={"id": f"r{n}"}, target={"id": t}) for n, t in enumerate("bab")]
    answer = api.post("/v1/complaints?assess=true&threshold=2&wait=0", json=[*documents, {"id": "no"}])
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["rejected_count"]) == (3, 1)
    assert [(a["target_id"], a["unseen"], a["recommendation"]) for a in body["assessments"]] == [
        ("b", 2, "wait"),
        ("a", 1, "none"),
    ]
    assert "assessments" not in api.post("/v1/complaints?assess=false", json=complaint("d")).json()


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("assess=yes", "/assess"),
        ("assess=true&assess=true", "/assess"),
        ("assess=true&threshold=0", "/threshold"),
        ("assess=true&wait=6000", "/wait"),
        ("threshold=8", "/threshold"),
        ("assess=false&wait=10", "/wait"),
        ("assess=true&after=1", None),
    ],
)
def test_a_question_that_cannot_be_read_stores_nothing(api: Api, query: str, pointer: str | None) -> None:
    problem = is_problem(api.post(f"/v1/complaints?{query}", json=complaint("c")), 422)
    assert pointer is None or problem["errors"][0]["pointer"] == pointer
    assert not api.redis.blocking.xlen(redis_keys.stream("default"))


def test_of_twenty_one_complaints_with_a_question_none_is_stored(api: Api) -> None:
    documents = [complaint(f"c{n}") for n in range(21)]
    assert "21 complaints" in is_problem(api.post("/v1/complaints?assess=true", json=documents), 422)["detail"]
    assert not api.redis.blocking.xlen(redis_keys.stream("default"))
    assert api.post("/v1/complaints?assess=true", json=documents[:20]).status_code == 202


def test_a_question_needs_the_right_to_read(api: Api) -> None:
    only_ingest = api.key("default", "ingest")
    is_problem(api.post("/v1/complaints?assess=true", json=complaint("c"), key=only_ingest), 403)
    assert api.post("/v1/complaints", json=complaint("c"), key=only_ingest).status_code == 202
    signed = {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,x", "webhook-source": "s"}
    for query in ("assess=true", "threshold=8"):
        answer = api.redis.run(api.client.post(f"/v1/complaints?{query}", json=complaint("d"), headers=signed))
        assert "a signature does not allow reading" in is_problem(answer, 403)["detail"]


def test_complaints_are_stored_even_if_their_targets_cannot_be_assessed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> Any:
        raise stream.StoreUnavailable("Redis has gone")

    monkeypatch.setattr("service.api.questions.read_targets", fails)
    answer = api.post("/v1/complaints?assess=true", json=complaint("c"))
    assert (answer.status_code, answer.json()["assessments"]) == (202, None)
    assert api.redis.blocking.xlen(redis_keys.stream("default")) == 1


def test_the_etag_outlives_the_advice_when_to_ask_again(api: Api) -> None:
    position = posted(api, 8)
    path = f"/v1/targets/t?threshold=8&after={position}"
    tag = api.get(path).headers["ETag"]
    posted(api, 1_000, target="another")
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 304
    posted(api, 9)  # one more person, and eight repeats, which are not known yet
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_thousand_waiters_share_one_loop_and_hurry_once(
    make_api: Callable[..., Api], real_redis: RedisClients
) -> None:
    real_redis.run(stream.begin(real_redis.asyncio, "t", 5))
    waiters = AnalysisWaiters(real_redis.asyncio)

    async def wait() -> None:
        waiting = [asyncio.create_task(waiters.until("t", n % 7 + 1, 600)) for n in range(1_000)]
        await asyncio.sleep(0.3)
        assert not any(task.done() for task in waiting)
        assert real_redis.blocking.llen(redis_keys.HURRIED) <= 2
        write_progress(real_redis.blocking, "t", analysed=6)
        await asyncio.gather(*(task for n, task in enumerate(waiting) if n % 7 + 1 <= 6))
        assert sum(task.done() for task in waiting) == 1_000 - 142
        write_progress(real_redis.blocking, "t", analysed=7)
        await asyncio.gather(*waiting)

    real_redis.run(asyncio.wait_for(wait(), 60))
    assert hurry.is_hurried(real_redis.blocking, "t")

    async def later() -> None:
        await waiters.until("t", 8, 0.05)
        if waiters._loop is not None:
            await waiters._loop
        assert waiters._loop is None, "nobody waits: nothing asks Redis"
        await waiters.close()

    real_redis.run(asyncio.wait_for(later(), 60))
