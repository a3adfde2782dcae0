"""The brief and the restorations over HTTP, from a tenant whose pipeline has run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Api, RedisClients
from flow import Newspaper
from sqlalchemy import Engine
from worlds import DAY, Row, Town, document, draw_town

from service.settings import Settings
from service.storage.accounts.tenants import create_key
from tests.service.api.test_submissions import is_problem
from workers import detect


@pytest.fixture(scope="module")
def town() -> Town:
    return draw_town(2, members=12, complaints=700, readers=350, articles=40)


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings, town: Town) -> Iterator[Newspaper]:
    """A newspaper whose brigade is flagged, and all of whose attacked comments were removed automatically."""
    newspaper = Newspaper(fake_redis, engine, settings)
    newspaper.posts([document(r) for r in town.rows], batch=500)
    newspaper.sweeps()
    raided = sorted({r.target for r in town.rows if r.reporter in town.brigades[0]})
    at = document(Row(1, 1, 1, 8.1 * DAY))["occurred_at"]
    newspaper.posts(
        [
            {"id": f"o{t}", "target_id": f"t{t}", "decided_at": at, "action": "removed", "decided_by": "automatic"}
            for t in raided
        ]
    )
    yield newspaper
    newspaper.forgets()


@pytest.fixture
def key(paper: Newspaper) -> str:
    return create_key(paper.engine, paper.name, ["read", "moderate", "ingest"], "desk", 1)


def listed(api: Api, key: str, query: str = "") -> list[dict[str, object]]:
    items, path = [], f"/v1/restorations?limit=2{query}"
    while True:
        body = api.get(path, key=key).json()
        items += body["items"]
        if body["next_cursor"] is None:
            return items
        path = f"/v1/restorations?limit=2&cursor={body['next_cursor']}"


def test_the_brief_of_an_attacked_comment_tells_the_whole_story(api: Api, paper: Newspaper, key: str) -> None:
    (first, *_) = listed(api, key)
    target = str(first["target_id"])
    brief = api.get(f"/v1/targets/{target}/brief", key=key).json()
    assert brief["assessment"] | {"as_of": ""} == api.get(f"/v1/targets/{target}", key=key).json() | {"as_of": ""}
    assert brief["assessment"]["recommendation"] == "hold"
    assert brief["complaints"]["standing"] == brief["assessment"]["complaints"] == first["complaints"]
    (group,) = brief["clusters"]
    assert group["id"] in str(first["clusters"]) and group["crossed_without"] is True and group["decisions"] == []
    assert [o["action"] for o in brief["outcomes"]] == ["removed"] and brief["restoration"]["state"] == "open"
    reasons = brief["statement_of_reasons"]
    assert (reasons["automated_decision"], reasons["source_type"]) == (
        "AUTOMATED_DECISION_FULLY",
        "SOURCE_TYPE_OTHER_NOTIFICATION",
    )
    database = reasons["transparency_database"]
    assert (
        database["fields"]["automated_decision"] == "AUTOMATED_DECISION_FULLY" and "puid" in database["platform_only"]
    )
    assert reasons["crossed_by_complaints"] and not reasons["crossed_by_independent"]
    assert any("removed automatically, and as far as we know no moderator" in line for line in brief["text"])
    assert brief["not_known"] and brief["policy_version"] == "2026.12"


def test_a_decision_an_appeal_and_a_notice_are_in_the_next_brief(api: Api, paper: Newspaper, key: str) -> None:
    target = str(listed(api, key)[0]["target_id"])
    (cluster,) = api.get(f"/v1/targets/{target}/brief", key=key).json()["clusters"]
    version = api.get(f"/v1/clusters/{cluster['id']}", key=key).json()["version"]
    asked = {"verdict": "coordinated", "reason_code": "brigade", "version": version, "note": "seen before"}
    assert api.post(f"/v1/clusters/{cluster['id']}/decisions", key=key, json=asked).status_code == 201
    detect.run(paper.name, paper.resources)
    notice = {
        **document(Row(9_001, 9_001, int(target[1:]), 8.2 * DAY)),
        "notice_type": "illegal_content",
        "reason": "hate",
    }
    at = document(Row(1, 1, 1, 8.3 * DAY))["occurred_at"]
    paper.posts(
        [
            notice,
            {
                "id": "a1",
                "target_id": target,
                "decided_at": at,
                "verdict": "rejected",
                "action": "restored",
                "decided_by": "appeal",
            },
        ]
    )
    brief = api.get(f"/v1/targets/{target}/brief", key=key).json()
    assert brief["clusters"][0]["verdict"] == "coordinated" and brief["clusters"][0]["decisions"][0]["by"] == "desk"
    assert brief["complaints"]["illegal_content_notices"] == 1 and brief["complaints"]["reasons"] == {"hate": 1}
    assert (
        brief["statement_of_reasons"]["source_type"] == "SOURCE_ARTICLE_16"
        and brief["statement_of_reasons"]["restriction"] is None
        and brief["statement_of_reasons"]["transparency_database"] is None
    )
    assert brief["restoration"]["state"] == "restored" and [o["decided_by"] for o in brief["outcomes"]] == [
        "automatic",
        "appeal",
    ]
    assert any("desk decided about this group on" in line for line in brief["text"]) and not any(
        "no moderator's verdict" in line for line in brief["not_known"]
    )


@pytest.mark.parametrize(
    "identifier",
    ["never", "a/brief", "brief", "assess", "..", "%2F", "é" * 128, "<script>alert(1)</script>", "' OR 1=1 --"],
)
def test_a_target_never_seen_has_a_brief_of_zeros_whatever_its_id(api: Api, identifier: str) -> None:
    escaped = "".join(f"%{byte:02x}" for byte in identifier.encode()).encode()
    answer = api.request("GET", "/", raw_path=b"/v1/targets/" + escaped + b"/brief")
    assert answer.status_code == 200, answer.text
    brief = answer.json()
    assert brief["target_id"] == identifier and brief["complaints"] == {
        "standing": 0,
        "repeats": 0,
        "withdrawn": 0,
        "machine": 0,
        "illegal_content_notices": 0,
        "trusted": 0,
        "trusted_notices": 0,
        "first_at": None,
        "last_at": None,
        "reasons": {},
    }
    assert (
        brief["clusters"] == brief["outcomes"] == []
        and brief["restoration"] is None
        and brief["text"] == ["There are no standing complaints about this target."]
    )


def test_another_tenants_target_has_the_brief_of_one_that_never_was(api: Api, paper: Newspaper, key: str) -> None:
    target = str(listed(api, key)[0]["target_id"])
    other, never = (api.get(f"/v1/targets/{name}/brief", tenant="other").json() for name in (target, "never"))
    assert {**other, "target_id": "", "assessment": ""} == {**never, "target_id": "", "assessment": ""}
    assert listed(api, api.key("other")) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/targets/%FF/brief", 422),
        ("/v1/targets/a/brief/", 404),
        ("/v1/targets//brief", 404),
        ("/v1/targets/a/b/brief", 404),
        ("/v1/targets/a/brief?threshold=0", 422),
        ("/v1/restorations?state=closed", 422),
        ("/v1/restorations?state=", 422),
        ("/v1/restorations?limit=0", 422),
        ("/v1/restorations?cursor=zzz", 400),
    ],
)
def test_what_does_not_fit_is_a_problem(api: Api, path: str, status: int) -> None:
    is_problem(
        api.request(
            "GET",
            "/",
            raw_path=path.split("?")[0].encode(),
            params=dict([path.split("?")[1].split("=")]) if "?" in path else None,
        ),
        status,
    )


def test_a_key_without_the_scope_reads_neither(api: Api) -> None:
    key = api.key("default", "ingest")
    for path in ("/v1/targets/t/brief", "/v1/restorations"):
        is_problem(api.get(path, key=key), 403)
        is_problem(api.get(path, key="bw_no"), 401)


def test_the_threshold_is_the_calls_own(api: Api, paper: Newspaper, key: str) -> None:
    target = str(listed(api, key)[0]["target_id"])
    brief = api.get(f"/v1/targets/{target}/brief?threshold=500", key=key).json()
    assert (
        brief["statement_of_reasons"]["threshold"] == 500
        and not brief["statement_of_reasons"]["crossed_by_complaints"]
        and brief["assessment"]["recommendation"] == "none"
    )


def test_restorations_come_page_by_page_greatest_harm_first(api: Api, paper: Newspaper, key: str) -> None:
    items = listed(api, key)
    harms = [float(str(item["harm"])) for item in items]
    assert (
        len(items) >= 5
        and harms == sorted(harms, reverse=True)
        and len({item["target_id"] for item in items}) == len(items)
    )
    assert all(item["state"] == "open" and item["removed_by"] == "automatic" for item in items)
    whole = api.get("/v1/restorations", key=key)
    assert whole.json()["items"] == items and whole.json()["next_cursor"] is None and "link" not in whole.headers
    assert 'rel="next"' in api.get("/v1/restorations?limit=1", key=key).headers["link"]


def test_restorations_are_filtered_by_state_and_cursors_keep_to_it(api: Api, paper: Newspaper, key: str) -> None:
    first, *rest = listed(api, key)
    at = document(Row(1, 1, 1, 8.3 * DAY))["occurred_at"]
    paper.posts([{"id": "r1", "target_id": first["target_id"], "decided_at": at, "action": "restored"}])
    assert [item["target_id"] for item in listed(api, key, "&state=restored")] == [first["target_id"]]
    assert listed(api, key) == rest == listed(api, key, "&state=open")
    assert len(listed(api, key, "&state=any")) == len(rest) + 1 == len(listed(api, key, "&state=open,restored"))
    assert listed(api, key, "&state=stands") == []
    cursor = api.get("/v1/restorations?limit=1&state=open", key=key).json()["next_cursor"]
    assert api.get(f"/v1/restorations?cursor={cursor}&state=open", key=key).status_code == 200
    is_problem(api.get(f"/v1/restorations?cursor={cursor}&state=any", key=key), 400)
    is_problem(api.get(f"/v1/clusters?cursor={cursor}", key=key), 400)
