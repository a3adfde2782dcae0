"""What platforms really send, from the signed post to the archive and its counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from service.storage.redis_store import redis_keys
from service.storage.sql.schema import complaints, outcomes
from service.storage.sql.schema.complaint_states import STANDING
from tests.conftest import Api, RedisClients
from tests.service.api.test_submissions import complaint, is_problem, stored
from tests.service.api.test_webhooks import JSON, NOW, SECRET, deliver, post, prepared, rows, source
from tests.service.platforms.payloads import (
    STANDARD_SECRET,
    account,
    coop,
    coop_ignored,
    discourse,
    encoded,
    mastodon,
    pem_of,
    score,
    signed_by_coop,
    standard,
    status,
    svix,
)
from workers import ingest
from workers.resources import Resources


@pytest.fixture
def archive(make_api: Callable[..., Api], real_redis: RedisClients) -> Api:
    """An API on a real Redis, so that what it takes can be archived."""
    api = make_api(real_redis)
    prepared(api)
    api.app.state.api.now = lambda: datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    return api


def archived(api: Api, redis: RedisClients) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The complaints and the outcomes in the archive, once everything that waits is in it."""
    resources = Resources(api.settings, api.engine, redis.blocking)
    while redis.blocking.xlen(redis_keys.stream("default")):
        ingest.run("default", resources)
    return rows(api, complaints), rows(api, outcomes)


SECONDS_AS_MILLISECONDS: dict[str, Any] = {
    "signature": {"scheme": "bearer"},
    "items": "$.flags[*]",
    "complaint": {
        "fields": {
            "id": "$.id",
            "occurred_at": {"path": "$.at", "as": "unix_ms"},
            "reporter.id": "$.by",
            "target.id": "$.post",
        }
    },
}


def flags(api: Api, path: str, *at: Any) -> httpx.Response:
    document = {"flags": [{"id": f"s-{n}", "at": when, "by": n, "post": 9} for n, when in enumerate(at)]}
    return post(api, path, encoded(document), {**JSON, "authorization": f"Bearer {SECRET}"})


def test_seconds_that_are_mapped_as_milliseconds_are_refused_and_the_answer_names_them(api: Api) -> None:
    prepared(api)
    made = source(api, "generic", mapping=SECONDS_AS_MILLISECONDS)
    problem = is_problem(flags(api, made.path, 1_714_730_400), 422)
    assert "1714730400 as unix_ms" in problem["detail"] and "2024-05-03T10:00:00Z" in problem["detail"]
    assert problem["errors"][0]["pointer"] == "/occurred_at" and problem["errors"][0]["id"] == "s-0"
    answer = flags(api, made.path, "1714730400", 1_714_730_400_000).json()
    assert (answer["accepted"], answer["rejected_count"]) == (1, 1)
    assert [json.loads(line[1:])["occurred_at"] for line in stored(api)] == ["2024-05-03T10:00:00Z"]


def test_svix_signs_as_well_and_its_id_is_the_same_event(api: Api) -> None:
    prepared(api)
    made = source(api, "generic", secret=STANDARD_SECRET)
    body = encoded([complaint("a")])
    signed = standard(STANDARD_SECRET, "msg_1", int(NOW.timestamp()), body)
    answer = post(api, made.path, body, svix(signed))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert post(api, made.path, body, signed).json()["repeated"]
    assert post(api, made.path, body, {**signed, **svix(signed)}).json()["repeated"]
    is_problem(post(api, made.path, body, {**svix(signed), "webhook-id": "msg_2"}), 401)
    named = {**svix(signed), "webhook-source": made.id}
    assert post(api, "/v1/complaints", body, named).json()["accepted"] == 1
    is_problem(post(api, "/v1/complaints", body, {**named, "webhook-id": "msg_2"}), 401)
    is_problem(post(api, "/v1/complaints", encoded([complaint("b")]), named), 401)


def test_what_coop_finds_no_violation_in_is_rejected_by_a_person(archive: Api, real_redis: RedisClients) -> None:
    private = rsa.generate_private_key(65_537, 2_048)
    made = source(archive, "coop", secret=f"{SECRET}\n{pem_of(private)}")
    report, ignored = encoded(coop()), encoded(coop_ignored(), pretty=True)
    assert post(archive, made.path, report, {"x-api-key": SECRET}).json()["accepted"] == 1
    answer = post(archive, made.path, ignored, signed_by_coop(private, ignored))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1), answer.text
    assert post(archive, made.path, ignored, signed_by_coop(private, ignored)).json()["repeated"]
    (complaint_, *_), (decided,) = archived(archive, real_redis)
    assert decided["target_id"] == complaint_["target"]["id"] == "m-88"
    assert (decided["verdict"], decided["action"], decided["decided_by"]) == ("rejected", "kept", "person")
    other = encoded(coop_ignored(id="m-89"))
    forged = rsa.generate_private_key(65_537, 2_048)
    is_problem(post(archive, made.path, other, signed_by_coop(private, ignored)), 401)
    is_problem(post(archive, made.path, other, signed_by_coop(forged, other)), 401)
    is_problem(post(archive, made.path, other, {**signed_by_coop(forged, other), "x-api-key": SECRET}), 401)
    is_problem(post(archive, made.path, other, {}), 401)


def test_a_dismissed_report_of_an_account_that_was_limited_before_is_nobodys_verdict(
    archive: Api, real_redis: RedisClients
) -> None:
    made = source(archive, "mastodon")
    limited = account("7001", silenced=True)
    assert deliver(archive, made, mastodon(status("501"), target_account=limited)).status_code == 202
    closed = {
        "event": "report.updated",
        "action_taken": True,
        "action_taken_at": "2024-05-03T12:00:00Z",
        "updated_at": "2024-05-03T12:00:00.100Z",
        "action_taken_by_account": account("9"),
    }
    answer = deliver(archive, made, mastodon(status("501"), target_account=limited, **closed))
    assert any("does not say whether the report was right" in note for note in answer.json()["notes"])
    complaints, outcomes = archived(archive, real_redis)
    assert [complaint_["target"]["id"] for complaint_ in complaints] == ["501", "account/7001"]
    assert [(decided["target_id"], decided["action"]) for decided in outcomes] == [
        ("501", "kept"),
        ("account/7001", "kept"),
    ]
    assert all("verdict" not in decided for decided in outcomes)


def test_a_flagged_comment_and_the_post_above_it_are_two_targets(archive: Api, real_redis: RedisClients) -> None:
    made = source(archive, "discourse")
    flags = [score(n, 500 + n, f"2024-05-03T10:0{n}:00.000Z") for n in range(5)]
    comment = discourse(
        *flags[:3], id=42, type="ReviewablePostVotingComment", target_type="PostVotingComment", target_id=14
    )
    assert deliver(archive, made, comment).json()["accepted"] == 3
    assert deliver(archive, made, discourse(*flags[3:])).json()["accepted"] == 2
    found, _ = archived(archive, real_redis)
    assert Counter(item["target"]["id"] for item in found) == {"post-voting-comment/14": 3, "9001": 2}


def test_a_flag_that_a_later_event_does_not_name_is_not_withdrawn(archive: Api, real_redis: RedisClients) -> None:
    """docs/integrations/discourse.md says why: an older event that comes late looks the same."""
    made = source(archive, "discourse")
    flags = [score(n, 500 + n, f"2024-05-03T10:0{n}:00.000Z") for n in range(1, 4)]
    assert deliver(archive, made, discourse(*flags)).json()["accepted"] == 3
    assert deliver(archive, made, discourse(*flags[:2])).json()["accepted"] == 2
    archived(archive, real_redis)
    with archive.engine.connect() as connection:
        states = connection.execute(select(complaints.c.state)).scalars().all()
    assert states == [STANDING] * 3
