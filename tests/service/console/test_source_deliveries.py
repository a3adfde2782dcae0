"""The last deliveries of a connection, and a payload that is tried without being stored."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from conftest import Api
from console_world import Visitor, put_user, sign_in

from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.redis_store import recent_deliveries, redis_keys
from service.storage.sql.engine import write
from service.storage.webhooks.sources import Source, list_sources
from tests.service.platforms.payloads import STANDARD_SECRET, discourse, encoded, headers, score, standard

SECRET = "a secret of the tests"
FLAGS = (score(1, 501, "2024-05-03T10:00:00.000Z"), score(2, 502, "2024-05-03T10:05:00.000Z"))


@pytest.fixture
def root(api: Api) -> Visitor:
    return sign_in(api, "root", role="admin")


def connected(api: Api, root: Visitor, platform: str = "discourse") -> tuple[Source, str]:
    """A new connection, and its page."""
    root.post("/console/settings/sources/add", {"platform": platform, "secret": SECRET})
    (there,) = set(
        re.findall(r'href="(/console/settings/sources/[0-9a-f]{20})"', root.get("/console/settings/sources").text)
    )
    with api.engine.connect() as connection:
        (made,) = list_sources(connection, tenant_id(api.engine, "default"))
    return made, there


def post(api: Api, made: Source, body: bytes, secret: str = SECRET) -> httpx.Response:
    sent = {"content-type": "application/json", **headers(made.platform, secret, body)}
    answer: httpx.Response = api.redis.run(api.client.post(made.path, content=body, headers=sent))
    return answer


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_the_last_deliveries_show_what_was_stored_and_never_a_body(api: Api, root: Visitor) -> None:
    made, there = connected(api, root)
    assert "Nothing in the last 24 hours" in root.get(f"{there}/deliveries").text
    body = encoded(discourse(*FLAGS))
    assert post(api, made, body).status_code == 202
    assert post(api, made, body).json()["repeated"] is True
    assert post(api, made, encoded(discourse(*FLAGS)), "another secret").status_code == 401
    assert post(api, made, b'{"reviewable": {}}').status_code == 422
    half = encoded(discourse(FLAGS[0], score(3, 503, "yesterday"), status=1))
    assert post(api, made, half).status_code == 202
    shown = words(root.get(f"{there}/deliveries").text)
    results = re.findall(r"stored|sent before|wrong signature|could not be used", shown.partition("Details")[2])
    assert sorted(results[:5]) == ["could not be used", "sent before", "stored", "stored", "wrong signature"]
    assert "complaint 1, complaint 2" in shown and "outcome reviewable/41/000000/1" in shown
    assert "Refused fields: /occurred_at" in shown
    assert "Rye" not in shown and "501" not in shown and made.id not in shown
    (key,) = (key for key in api.redis.blocking.keys("bw:*") if b":recent:" in key)
    raw = b"".join(api.redis.blocking.lrange(key, 0, -1))
    assert b"Rye" not in raw and b"501" not in raw


def test_all_refusals_are_counted_though_few_are_named(api: Api, root: Visitor) -> None:
    made, there = connected(api, root)
    flags = [score(number, 501, "yesterday") for number in range(150)]
    assert post(api, made, encoded(discourse(*flags, FLAGS[0]))).status_code == 202
    row = words(root.get(f"{there}/deliveries").text).partition("Details")[2]
    assert re.search(r"stored 1 150 complaint 1 ", row), row


@pytest.mark.parametrize(
    ("valid", "says"), [(True, "stored 1 1 complaint c-1 Refused fields: /target"), (False, "could not be used 0 1")]
)
def test_a_signed_post_to_the_api_shows_what_became_of_it(api: Api, root: Visitor, valid: bool, says: str) -> None:
    root.post("/console/settings/sources/add", {"platform": "generic", "secret": STANDARD_SECRET})
    page = root.get("/console/settings/sources").text
    (there,) = set(re.findall(r'href="(/console/settings/sources/[0-9a-f]{20})"', page))
    with api.engine.connect() as connection:
        (made,) = list_sources(connection, tenant_id(api.engine, "default"))
    whole = {"id": "c-1", "occurred_at": "2024-05-03T10:00:00Z", "reporter": {"id": "r"}, "target": {"id": "t"}}
    body = json.dumps([*([whole] if valid else []), {**whole, "id": "c-2", "target": {}}]).encode()
    now = int(api.app.state.api.now().timestamp())
    sent = {"content-type": "application/json", "webhook-source": made.id, **standard(STANDARD_SECRET, "m", now, body)}
    answer = api.redis.run(api.client.post("/v1/complaints", content=body, headers=sent))
    assert answer.status_code == (202 if valid else 422)
    assert says in words(root.get(f"{there}/deliveries").text)


def test_forged_posts_do_not_push_out_real_ones_and_ten_are_kept_for_a_day(api: Api, root: Visitor) -> None:
    made, _ = connected(api, root)
    for number in range(12):
        assert post(api, made, encoded(discourse(score(number, 501, "2024-05-03T10:00:00.000Z")))).status_code == 202
    for _ in range(15):
        assert post(api, made, b"{}", "another secret").status_code == 401
    now_us = int(api.app.state.api.now().timestamp() * 1e6)
    keys = sorted(redis_keys.recent_deliveries("default", "", proven) for proven in (True, False))
    found = [key for key in api.redis.blocking.keys("bw:default:*") if key.decode().startswith(tuple(keys))]
    assert {api.redis.blocking.llen(key) for key in found} == {10} and len(found) == 2
    assert all(0 < api.redis.blocking.ttl(key) <= 86_400 for key in found)
    proven = next(key for key in found if b":recent:" in key)
    assert b"complaint 11" in api.redis.blocking.lindex(proven, 0)
    later = api.redis.run(recent_deliveries.recent(api.redis.asyncio, "default", made.id, now_us + 86_400_000_001))
    assert later == []


def test_a_payload_is_tried_and_not_stored(api: Api) -> None:
    put_user(api, "first")
    before = set(api.redis.blocking.keys("bw:default:stream"))
    with write(api.engine) as connection:
        change_settings(connection, tenant_id(api.engine, "default"), pseudonyms=True, actor="t", now_us=1)
    root = sign_in(api, "root", role="admin")
    _, there = connected(api, root)
    answer = root.post(
        f"{there}/try", {"payload": encoded(discourse(*FLAGS, score(3, 503, "never"), status=2)).decode()}
    )
    shown = words(answer.text)
    assert answer.status_code == 200 and "3 items would be stored, 1 refused" in shown
    assert "/occurred_at" in shown and "rejected" in shown and "9001" in shown
    assert "&#34;501&#34;" not in answer.text  # the pseudonym, as the tenant keeps it
    assert set(api.redis.blocking.keys("bw:default:stream")) == before
    assert "Nothing in the last 24 hours" in shown


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[1]", "Expected an event of Discourse"),
        ('{"ping": "OK"}', "0 items would be stored"),
        ("[" * 5_000, "JSON"),
        ("\ud800", ""),
    ],
)
def test_what_cannot_be_tried_says_why(api: Api, root: Visitor, payload: str, says: str) -> None:
    _, there = connected(api, root)
    answer = root.post(f"{there}/try", {"payload": payload.encode("utf-8", "replace").decode()})
    assert answer.status_code in (200, 422) and says in words(answer.text)


def test_only_administrators_see_them(api: Api, root: Visitor) -> None:
    _, there = connected(api, root)
    anna = sign_in(api, "anna", role="moderator")
    assert anna.get(f"{there}/deliveries").status_code == 403
    assert anna.post(f"{there}/try", {"payload": "{}"}).status_code == 403
    assert root.get("/console/settings/sources/00000000000000000000/deliveries").status_code == 404
