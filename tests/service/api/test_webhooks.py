"""Platforms that post: from the signature over the raw bytes to the archive."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import inspect, text

from service.api import webhook_auth
from service.api.api_context import MetricsSink
from service.logs import Logfmt, redacted
from service.settings import Settings
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import connect
from service.storage.sql import timers
from service.storage.sql.engine import write
from service.storage.sql.schema import complaints, outcomes
from service.storage.webhooks.sources import Source, add_source, pollers, record_poll, remove_source, rotate_secret
from tests.conftest import NOW_US, Api, RedisClients
from tests.service.api.test_submissions import complaint, is_problem, stored
from tests.service.platforms.payloads import (
    STANDARD_SECRET,
    account,
    coop,
    coral,
    discourse,
    encoded,
    headers,
    hexdigest,
    mastodon,
    score,
    standard,
    status,
)
from tests.service.platforms.test_generic import DOCUMENT, MAPPING
from workers import ingest
from workers.resources import Resources

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
JSON = {"content-type": "application/json"}
SECRET = "secret of the house"
REVIEWABLE = discourse(score(1, 501, "2024-05-03T10:00:00.000Z"), score(2, 502, "2024-05-03T10:05:00.000Z"))


class Counted(MetricsSink):
    """Counts what the API says about deliveries."""

    def __init__(self) -> None:
        self.results: list[tuple[str, str]] = []

    def webhook(self, platform: str, result: str) -> None:
        self.results.append((platform, result))


@pytest.fixture
def counted(api: Api) -> Counted:
    made = api.app.state.observe = Counted()
    prepared(api)
    return made


def prepared(api: Api) -> None:
    """A secret key in the data folder, and a clock that stands still."""
    (api.settings.data / "secret.key").write_text("5a" * 32)
    api.app.state.api.now = lambda: NOW


def source(api: Api, platform: str, *, tenant: str = "default", secret: str | None = SECRET, **fields: Any) -> Source:
    api.key(tenant)
    with write(api.engine) as connection:
        return add_source(
            connection,
            api.app.state.api.box,
            tenant_id(api.engine, tenant),
            platform,
            secret=secret,
            now_us=NOW_US,
            **fields,
        )


def post(api: Api, path: str, body: bytes, signed: dict[str, str], **more: Any) -> httpx.Response:
    return api.redis.run(
        api.client.post(path, content=body, headers={"X-Request-ID": "test", **JSON, **signed}, **more)
    )  # type: ignore[no-any-return]


def deliver(api: Api, made: Source, document: Any, *, secret: str = SECRET) -> httpx.Response:
    """Post the document to the source, signed as its platform signs, and pretty-printed as none of our own would be."""
    body = encoded(document, pretty=True)
    return post(api, made.path, body, headers(made.platform, secret, body))


@pytest.mark.parametrize(
    ("platform", "document", "ids"),
    [
        ("discourse", REVIEWABLE, ["1", "2"]),
        ("mastodon", mastodon(status("501"), status("502")), ["310/501", "310/502", "310/account"]),
        ("coop", coop(), None),
    ],
)
def test_a_signed_delivery_is_in_the_stream_before_it_is_acknowledged(
    api: Api, counted: Counted, platform: str, document: Any, ids: list[str] | None
) -> None:
    answer = deliver(api, source(api, platform), document)
    assert answer.status_code == 202, answer.text
    found = [json.loads(line[1:])["id"] for line in stored(api)]
    assert ids is None or found == ids
    assert answer.json() == {
        "accepted": len(found),
        "rejected": [],
        "rejected_count": 0,
        "position": len(found),
        "repeated": False,
        "notes": [],
    }
    assert counted.results == [(platform, "taken")]


@pytest.mark.parametrize("platform", ["discourse", "mastodon", "coral", "coop"])
def test_a_forged_delivery_is_401_counted_and_leaves_nothing(
    api: Api, counted: Counted, platform: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = source(api, platform)
    document = {"discourse": REVIEWABLE, "mastodon": mastodon(status("501")), "coral": coral(), "coop": coop()}[
        platform
    ]
    body = encoded(document)
    right = headers(platform, SECRET, body)
    refused = [post(api, made.path, body, headers(platform, "guessed", body)), post(api, made.path, body, {})]
    if platform != "coop":
        refused.append(post(api, made.path, body.replace(b"2024", b"2023"), right))
    for answer in refused:
        is_problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Signature")
    assert {result for _, result in counted.results} <= {"wrong", "missing"} and len(counted.results) == len(refused)
    assert stored(api) == []
    assert made.id not in caplog.text and "2024" not in caplog.text


def test_nobody_can_tell_whether_a_path_exists(api: Api, counted: Counted) -> None:
    mine, theirs = source(api, "discourse"), source(api, "discourse", tenant="other")
    gone = source(api, "discourse", namespace="gone")
    with write(api.engine) as connection:
        remove_source(connection, gone.tenant_id, gone.id, now_us=NOW_US)
    polled = source(api, "coral", url="https://coral.example")
    body = encoded(REVIEWABLE)
    signed = headers("discourse", "guessed", body)
    paths = [
        mine.path,
        theirs.path,
        gone.path,
        mine.path.replace("discourse", "mastodon"),
        polled.path,
        "/v1/webhooks/discourse/src_0",
        "/v1/webhooks/generic/x",
        "/v1/webhooks/coop/%00%ff",
    ]
    answers = [
        post(api, path, body, {**signed, **headers("mastodon", SECRET, body), **headers("coral", SECRET, body)})
        for path in paths
    ]
    assert {
        (answer.status_code, answer.content, answer.headers["content-type"], answer.headers.get("www-authenticate"))
        for answer in answers
    } == {
        (401, answers[0].content, "application/problem+json", 'Signature realm="brigadewatch"'),
    }
    is_problem(post(api, gone.path, body, headers("discourse", SECRET, body)), 401)
    for path in ("/v1/webhooks/myspace/x", "/v1/webhooks/lemmy/x", "/v1/webhooks/discourse"):
        is_problem(post(api, path, body, signed), 404)


def test_a_replay_is_counted_and_changes_nothing(api: Api, counted: Counted) -> None:
    made = source(api, "discourse")
    assert deliver(api, made, REVIEWABLE).json()["accepted"] == 2
    again = deliver(api, made, REVIEWABLE)
    assert again.status_code == 202
    assert again.json() == {
        "accepted": 0,
        "rejected": [],
        "rejected_count": 0,
        "position": 2,
        "repeated": True,
        "notes": [],
    }
    assert counted.results == [("discourse", "taken"), ("discourse", "repeated")]
    assert len(stored(api)) == 2
    (mark,) = api.redis.blocking.keys(redis_keys.delivered("default", "*"))
    assert 6.9 * 86_400 < api.redis.blocking.ttl(mark) <= 7 * 86_400
    assert made.id.encode() not in mark
    # An event's number is not signed: with another one it is the same delivery, and with the same one another body is
    # another.
    body = encoded(REVIEWABLE, pretty=True)
    assert post(api, made.path, body, {**headers("discourse", SECRET, body), "x-discourse-event-id": "18"}).json()[
        "repeated"
    ]
    later = encoded(discourse(score(3, 503, "2024-05-03T10:09:00.000Z")))
    assert (
        post(api, made.path, later, {**headers("discourse", SECRET, later), "x-discourse-event-id": "17"}).json()[
            "accepted"
        ]
        == 1
    )


def test_a_delivery_that_could_not_be_stored_is_taken_when_it_comes_again(
    make_api: Callable[..., Api], loop: Any, fake_redis: RedisClients, settings: Settings
) -> None:
    full = make_api(fake_redis, replace(settings, max_stream_items=1))
    prepared(full)
    made = source(full, "discourse")
    assert full.post("/v1/complaints", json=complaint()).status_code == 202
    answer = deliver(full, made, REVIEWABLE)
    is_problem(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1
    assert fake_redis.blocking.keys(redis_keys.delivered("default", "*")) == []
    roomy = make_api(fake_redis)
    prepared(roomy)
    assert deliver(roomy, made, REVIEWABLE).json()["accepted"] == 2
    nowhere = RedisClients(None, connect("redis://127.0.0.1:1/0", 0.3), loop, None)
    away = make_api(nowhere)
    prepared(away)
    is_problem(deliver(away, made, discourse(score(9, 9, "2024-05-03T10:00:00Z"))), 503)
    loop.run_until_complete(nowhere.asyncio.aclose())


def test_a_ping_is_answered(api: Api, counted: Counted) -> None:
    made = source(api, "discourse", secret="my_lovely_secret_for_web_hook")
    vector = {
        "x-discourse-event": "ping",
        "x-discourse-event-type": "ping",
        "x-discourse-event-signature": "sha256=162f107f6b5022353274eb1a7197885cfd35744d8d08e5bcea025d309386b7d6",
    }
    answer = post(api, made.path, b'{"ping":"OK"}', vector)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["notes"]) == (202, 0, ["a ping"])
    assert not post(api, made.path, b'{"ping":"OK"}', vector).json()["repeated"]
    assert counted.results == [("discourse", "empty")] * 2


@pytest.mark.parametrize(
    ("body", "more", "code"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b"[]", {}, 422),
        (b'{"reviewable": 1}', {}, 422),
        (b"[" * 100_000, {}, 400),
        (encoded(REVIEWABLE), {"content-type": "application/x-www-form-urlencoded"}, 415),
        (encoded(REVIEWABLE), {"content-type": ""}, 415),
        (encoded(REVIEWABLE), {"content-encoding": "gzip"}, 415),
        (b'"' + b"x" * (8 * 1024 * 1024) + b'"', {}, 413),
        (encoded(discourse(*[score(n, n, "2024-05-03T10:00:00Z") for n in range(10_001)])), {}, 413),
        (encoded(discourse(score(1, 1, "no time"))), {}, 422),
        (encoded({"reviewable": {"id": 1, "post_id": "x" * 129, "reviewable_scores": [{}]}}), {}, 422),
    ],
)
def test_a_signed_delivery_that_cannot_be_used_is_a_problem_and_never_a_500(
    api: Api, counted: Counted, body: bytes, more: dict[str, str], code: int
) -> None:
    made = source(api, "discourse")
    is_problem(post(api, made.path, body, {**headers("discourse", SECRET, body), **more}), code)
    assert stored(api) == []


def test_valid_items_are_taken_and_the_others_listed(api: Api, counted: Counted) -> None:
    answer = deliver(
        api,
        source(api, "discourse"),
        discourse(
            score(1, 1, "2024-05-03T10:00:00Z"),
            score(2, 2, "2124-05-03T10:00:00Z"),
            score(3, 3, "2024-05-03T10:00:00Z"),
        ),
    )
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected_count"]) == (202, 2, 1)
    assert [(item["line"], item["id"], item["pointer"]) for item in answer.json()["rejected"]] == [
        (2, "2", "/occurred_at")
    ]


def test_what_was_refused_may_be_right_when_the_delivery_comes_again(api: Api, counted: Counted) -> None:
    made, ahead = source(api, "discourse"), (NOW + timedelta(minutes=6)).isoformat()
    event = discourse(score(1, 1, "2024-05-03T10:00:00Z"), score(2, 2, ahead))
    assert deliver(api, made, event).json()["rejected_count"] == 1
    api.app.state.api.now = lambda: NOW + timedelta(minutes=6)
    assert deliver(api, made, event).json()["accepted"] == 2  # the first of them is a duplicate for the archive
    assert deliver(api, made, event).json()["repeated"]


def test_refusals_are_logged_once_in_a_while_by_platform_and_reason_alone(
    api: Api, counted: Counted, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_auth, "_logged_at", {})
    made = source(api, "mastodon")
    body = encoded(mastodon(status("501")))
    for _ in range(5):
        is_problem(post(api, made.path, body, headers("mastodon", "guessed", body)), 401)
    assert [record.getMessage() for record in caplog.records if record.name == "service.api.webhook_auth"] == [
        "a webhook for mastodon was refused: wrong"
    ]
    assert counted.results == [("mastodon", "wrong")] * 5


def test_scores_that_are_ids_only_are_said_in_the_answer(api: Api, counted: Counted) -> None:
    answer = deliver(api, source(api, "discourse"), discourse(reviewable_score_ids=[4, 5], reviewable_scores=...))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert "only ids" in answer.json()["notes"][0]


def test_both_secrets_are_taken_while_rotating_and_then_the_new_one_alone(api: Api, counted: Counted) -> None:
    made = source(api, "mastodon", secret="first")
    with write(api.engine) as connection:
        rotate_secret(
            connection,
            api.app.state.api.box,
            made.tenant_id,
            made.id,
            "second",
            now_us=int(NOW.timestamp()) * 1_000_000,
        )
    assert deliver(api, made, mastodon(status("1")), secret="first").status_code == 202
    assert deliver(api, made, mastodon(status("1"), id="311"), secret="second").status_code == 202
    api.app.state.api.now = lambda: NOW + timedelta(days=1)
    is_problem(deliver(api, made, mastodon(status("1"), id="312"), secret="first"), 401)
    assert deliver(api, made, mastodon(status("1"), id="312"), secret="second").status_code == 202


def test_a_source_without_a_secret_takes_what_is_unsigned_and_nothing_that_it_cannot_verify(
    api: Api, counted: Counted
) -> None:
    made = source(api, "discourse", secret=None)
    body = encoded(REVIEWABLE)
    assert post(api, made.path, body, {}).status_code == 202
    is_problem(post(api, made.path, body, headers("discourse", "x", body)), 401)


def test_a_secret_that_no_key_opens_is_503_and_the_delivery_is_not_lost(api: Api, counted: Counted) -> None:
    made = source(api, "discourse")
    api.app.state.api.box = type(api.app.state.api.box)(replace(api.settings, secret_keys=("11" * 32,)))
    is_problem(deliver(api, made, REVIEWABLE), 503)


def test_coral_wakes_its_pollers_behind_the_answer(api: Api, counted: Counted) -> None:
    webhook, poller = source(api, "coral"), source(api, "coral", url="https://coral.example", secret="a token")
    with write(api.engine) as connection:
        record_poll(connection, poller, next_poll_us=NOW_US * 2, cursor=None)
        timers.move_to(connection, poller.tenant_id, "poll", NOW_US * 2)
    answer = deliver(api, webhook, coral())
    assert (answer.status_code, answer.json()["accepted"], answer.json()["notes"]) == (
        202,
        0,
        ["the platform will be polled for new flags"],
    )
    with api.engine.connect() as connection:
        assert pollers(connection, poller.tenant_id)[0].next_poll_us == int(NOW.timestamp()) * 1_000_000
        assert timers.due(connection, int(NOW.timestamp()) * 1_000_000) == [("poll", "default")]


def test_coral_is_answered_while_redis_is_away_so_that_it_does_not_give_the_endpoint_up(
    make_api: Callable[..., Api], loop: Any
) -> None:
    nowhere = RedisClients(None, connect("redis://127.0.0.1:1/0", 0.3), loop, None)
    api = make_api(nowhere)
    prepared(api)
    webhook = source(api, "coral")
    assert deliver(api, webhook, coral()).status_code == 202
    is_problem(deliver(api, webhook, coral(), secret="guessed"), 401)
    loop.run_until_complete(nowhere.asyncio.aclose())


@pytest.mark.parametrize("scheme", ["hmac", "bearer", "standard"])
def test_the_generic_platform_signs_as_its_mapping_says(api: Api, counted: Counted, scheme: str) -> None:
    body = encoded(DOCUMENT)
    seconds = int(NOW.timestamp())
    stated, secret, signed = {
        "hmac": (MAPPING["signature"], SECRET, {"X-Signature": f"sha256={hexdigest(SECRET, body)}"}),
        "bearer": ({"scheme": "bearer"}, SECRET, {"Authorization": f"Bearer {SECRET}"}),
        "standard": ({"scheme": "standard"}, STANDARD_SECRET, standard(STANDARD_SECRET, "msg_1", seconds, body)),
    }[scheme]
    made = source(api, "generic", secret=secret, mapping={**MAPPING, "signature": stated})
    is_problem(post(api, made.path, body, {}), 401)
    answer = post(api, made.path, body, signed)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)
    assert [line[0] for line in stored(api)] == ["c", "c", "o"]
    assert post(api, made.path, body, signed).json()["repeated"]
    if scheme == "standard":
        for late in (seconds - 301, seconds + 301):
            is_problem(post(api, made.path, body, standard(STANDARD_SECRET, "msg_2", late, body)), 401)
        assert counted.results[-1] == ("generic", "stale")


def test_what_cannot_be_used_of_an_item_is_a_note_without_an_id(api: Api, counted: Counted) -> None:
    made = source(api, "generic", secret=STANDARD_SECRET)
    body = json.dumps([complaint("a", reason="x" * 80), complaint("b", reason="x" * 70)]).encode()
    signed = standard(STANDARD_SECRET, "msg_1", int(NOW.timestamp()), body)
    answer = post(api, made.path, body, signed).json()
    assert (answer["accepted"], answer["rejected_count"]) == (2, 0)
    assert answer["notes"] == ["reason: cut from 80 to 64 characters (2 times like this)"]


def test_a_standard_signature_is_as_good_as_a_key(api: Api, counted: Counted) -> None:
    made = source(api, "generic", secret=STANDARD_SECRET)
    mapped = source(api, "generic", secret=SECRET, mapping=MAPPING, same_installation=True)
    body = json.dumps([complaint("a"), complaint("b", extra=1)]).encode()
    seconds = int(NOW.timestamp())
    signed = {**standard(STANDARD_SECRET, "msg_1", seconds, body), "webhook-source": made.id}
    answer = post(api, "/v1/complaints", body, signed)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected_count"]) == (202, 1, 1)
    outcome = json.dumps({"id": "o", "target_id": "t", "decided_at": "2024-05-03T10:00:00Z", "action": "kept"}).encode()
    assert (
        post(
            api,
            "/v1/outcomes",
            outcome,
            {**standard(STANDARD_SECRET, "msg_2", seconds, outcome), "webhook-source": made.id},
        ).status_code
        == 202
    )
    assert [line[0] for line in stored(api)] == ["c", "o"]
    refused = [
        post(api, "/v1/complaints", body, {**signed, "webhook-source": "src_0"}),
        post(api, "/v1/complaints", body, {k: v for k, v in signed.items() if k != "webhook-source"}),
        post(api, "/v1/complaints", body.replace(b"a", b"z"), signed),
        post(api, "/v1/complaints", body, {**signed, "webhook-timestamp": str(seconds - 301)}),
        post(
            api,
            "/v1/complaints",
            body,
            {**standard(STANDARD_SECRET, "msg_1", seconds - 301, body), "webhook-source": made.id},
        ),
        post(
            api,
            "/v1/complaints",
            body,
            {**signed, "X-Signature": f"sha256={hexdigest(SECRET, body)}", "webhook-source": mapped.id},
        ),
    ]
    assert len({answer.content for answer in refused}) == 1
    for answer in refused:
        is_problem(answer, 401)
    packed = gzip.compress(body)
    is_problem(
        post(
            api,
            "/v1/complaints",
            packed,
            {
                **standard(STANDARD_SECRET, "msg_3", seconds, body),
                "webhook-source": made.id,
                "content-encoding": "gzip",
            },
        ),
        415,
    )
    # a key that is named is what counts
    is_problem(post(api, "/v1/complaints", body, {**signed, "Authorization": "Bearer bw_wrong"}), 401)
    is_problem(api.redis.run(api.client.delete("/v1/complaints/a", headers=signed)), 401)


def test_a_signed_post_needs_no_form_of_its_own(api: Api, counted: Counted) -> None:
    made = source(api, "generic", secret=STANDARD_SECRET)
    body = b"\n".join(json.dumps(complaint(str(n))).encode() for n in range(3))
    signed = {
        **standard(STANDARD_SECRET, "msg_1", int(NOW.timestamp()), body),
        "webhook-source": made.id,
        "content-type": "application/x-ndjson",
    }
    assert post(api, "/v1/complaints", body, signed).json()["accepted"] == 3


def rows(api: Api, table: Any) -> list[dict[str, Any]]:
    with api.engine.connect() as connection:
        return [
            json.loads(content)
            for content in connection.execute(
                table.select().with_only_columns(table.c.content).order_by(table.c.row_key)
            ).scalars()
        ]


def everything(api: Api) -> Iterator[bytes]:
    """Every byte that is stored: the SQL rows, Redis' keys and values."""
    with api.engine.connect() as connection:
        for name in inspect(connection).get_table_names():
            yield str(connection.execute(text(f'SELECT * FROM "{name}"')).all()).encode()
    for key in api.redis.blocking.keys("*"):
        yield key
        yield api.redis.blocking.dump(key)


def test_from_the_signature_to_the_archive_with_nobodys_address_anywhere(
    make_api: Callable[..., Api], real_redis: RedisClients, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = make_api(real_redis)
    prepared(api)
    resources = Resources(api.settings, api.engine, real_redis.blocking)
    made = source(api, "mastodon")
    created = mastodon(status("501"), status("502"))
    from_afar = mastodon(status("501"), id="311", account=account("8001", domain="other.example"))
    closed = mastodon(
        status("501"),
        status("502"),
        event="report.updated",
        action_taken=True,
        action_taken_at="2024-05-03T12:00:00Z",
        updated_at="2024-05-03T12:00:00.100Z",
        action_taken_by_account=account("9"),
        target_account=account("7001", suspended=True),
    )
    for document in (closed, created, from_afar, created, closed):  # out of order, and twice
        assert deliver(api, made, document).status_code == 202
    before = set(everything(api))
    while real_redis.blocking.xlen(redis_keys.stream("default")):
        ingest.run("default", resources)
    assert sorted((c["id"], c.get("machine", False)) for c in rows(api, complaints)) == [
        ("310/501", False),
        ("310/502", False),
        ("310/account", False),
        ("311/501", True),
        ("311/account", True),
    ]
    assert [(o["target_id"], o.get("verdict"), o["action"]) for o in rows(api, outcomes)] == [
        ("501", "upheld", "removed"),
        ("502", "upheld", "removed"),
        ("account/7001", None, "removed"),
    ]
    with api.engine.connect() as connection:
        assert connection.execute(text("SELECT duplicates, conflicting FROM ingest_state")).one() == (3, 0)
        assert dict(
            connection.execute(
                text("SELECT complaints.target_id, targets.complaints FROM targets JOIN complaints USING (target_key)")
            ).all()
        ) == {"501": 1, "502": 1, "account/7001": 1}
    # that is the test's own client
    said = "\n".join(record.getMessage() for record in caplog.records if record.name != "httpx")
    stored_bytes = b"".join([*before, *everything(api)]) + said.encode()
    for address in (
        b"mail.example",
        b"198.51.100.7",
        b"203.0.113.9",
        b"2001:db8::17",
        b"let me in",
        b"words that were edited",
        SECRET.encode(),
    ):
        assert address not in stored_bytes, address
    assert made.id not in said


def test_no_log_line_shows_the_end_of_a_path(caplog: pytest.LogCaptureFixture) -> None:
    identifier = "src_" + "0f" * 24
    lines = [
        (
            f'127.0.0.1:5 - "POST /v1/webhooks/discourse/{identifier} HTTP/1.1" 202',
            '127.0.0.1:5 - "POST /v1/webhooks/discourse/… HTTP/1.1" 202',
        ),
        (f"/v1/webhooks/coop/{identifier}?x=1", "/v1/webhooks/coop/…?x=1"),
        ("POST /v1/webhooks/coral/half-an-id", "POST /v1/webhooks/coral/…"),
        (f"DELETE /v1/sources/{identifier}", "DELETE /v1/sources/…"),
        (f"source {identifier} failed", "source src_… failed"),
        ("GET /v1/sources?limit=2", "GET /v1/sources?limit=2"),
        ("GET /v1/sources?cursor=nr9NYh7MWyJ&limit=2", "GET /v1/sources?cursor=…&limit=2"),
    ]
    assert [redacted(line) for line, _ in lines] == [expected for _, expected in lines]
    access = logging.LogRecord(
        "uvicorn.access",
        logging.INFO,
        "",
        0,
        '%s - "%s %s HTTP/%s" %d',
        ("127.0.0.1:5", "POST", f"/v1/webhooks/discourse/{identifier}", "1.1", 202),
        None,
    )
    assert '"POST /v1/webhooks/discourse/… HTTP/1.1\\" 202' in Logfmt("api").format(
        access
    ) and identifier not in Logfmt("api").format(access)
    try:
        raise RuntimeError(f"at /v1/webhooks/discourse/{identifier}")
    except RuntimeError as error:
        failed = logging.LogRecord("x", logging.ERROR, "", 0, "failed", None, (type(error), error, error.__traceback__))
    assert "RuntimeError" in Logfmt("api").format(failed) and identifier not in Logfmt("api").format(failed)


def test_an_unexpected_failure_does_not_log_the_path(
    api: Api, counted: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    made = source(api, "discourse")

    async def broken(*arguments: Any) -> int:
        raise RuntimeError("inside")

    api.app.state.api.writer.append = broken
    is_problem(deliver(api, made, REVIEWABLE), 500)
    (line,) = [record for record in caplog.records if record.name == "request"]
    assert line.facts["route"] == "/v1/webhooks/{platform}/{source}" and line.facts["status"] == 500  # type: ignore[attr-defined]
    assert "unexpected failure" in caplog.text and made.id not in caplog.text


def test_pseudonyms_and_texts_are_kept_as_the_tenant_wants_for_deliveries_too(api: Api, counted: Counted) -> None:
    made = source(api, "mastodon")
    with write(api.engine) as connection:
        change_settings(connection, made.tenant_id, actor="test", now_us=NOW_US, pseudonyms=True)
    assert deliver(api, made, mastodon(status("501"))).status_code == 202
    both = stored(api)
    assert len(both) == 2
    for line in both:
        assert "4001" not in line and "insults" not in line and base64.b64encode(b"4001").decode() not in line
        assert json.loads(line[1:])["reporter"]["id"].startswith("p-")
