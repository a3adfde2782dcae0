"""The question before a removal, and where the items are, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from service.api.api_context import MetricsSink
from service.model import moment
from service.moderation.assessment import ClusterPart, summarise
from service.storage.redis_store import stream
from service.storage.redis_store.assessments import (
    write_memberships,
    write_progress,
    write_totals,
    write_trusted_notices,
)
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import analysis_state, dead_letters, feed, ingest_state
from tests.conftest import Api, RedisClients
from tests.service.api.test_submissions import complaint, is_problem

CERTAIN = summarise([ClusterPart("k-1", 1.0, 0.9, 0.9, True, set(range(10)))])


@pytest.fixture
def asked(api: Api) -> Api:
    """An API whose tenant has begun and knows two targets."""
    assert api.get("/v1/targets/anything").status_code == 200
    write_totals(api.redis.blocking, "default", {key_of("hot"): 12, key_of("calm"): 9})
    write_memberships(api.redis.blocking, "default", {key_of("hot"): CERTAIN})
    return api


def test_a_target_never_seen_is_all_zeros(api: Api) -> None:
    answer = api.get("/v1/targets/never")
    assert answer.status_code == 200
    body = answer.json()
    as_of = datetime.fromisoformat(body.pop("as_of"))
    assert abs((datetime.now(UTC) - as_of).total_seconds()) < 60
    assert body == {
        "target_id": "never",
        "complaints": 0,
        "trusted_notices": 0,
        "unseen": 0,
        "independent_complaints": 0.0,
        "coordinated_probability": 0.0,
        "recommendation": "none",
        "retry_after_ms": None,
        "clusters": [],
        "without_clusters": {},
        "pending": False,
    }


def test_notices_by_trusted_flaggers_are_told_with_each_target(asked: Api) -> None:
    def told() -> tuple[Any, ...]:
        several = asked.post("/v1/targets/assess", json={"target_ids": ["hot", "calm", "never"]}).json()["items"]
        one = asked.get("/v1/targets/hot").json()["trusted_notices"]
        return one, *(item["trusted_notices"] for item in several)

    assert told() == (None, None, None, 0), "not counted yet, which is not the same as none"
    tag = asked.get("/v1/targets/hot").headers["etag"]
    write_trusted_notices(asked.redis.blocking, "default", {key_of("hot"): 3}, complete=True)
    assert told() == (3, 3, 0, 0)
    assert asked.get("/v1/targets/hot", headers={"If-None-Match": tag}).status_code == 200
    write_trusted_notices(asked.redis.blocking, "default", {key_of("hot"): 15})
    assert told()[0] == 12, "never more than the complaints that are analysed"


def test_a_target_that_a_cluster_carries_is_held(asked: Api) -> None:
    body = asked.get("/v1/targets/hot").json()
    assert (body["complaints"], body["recommendation"], body["coordinated_probability"]) == (12, "hold", 0.9)
    assert body["independent_complaints"] == pytest.approx(2 + 10 / (1 + 0.9 * 9), abs=1e-6)
    assert body["clusters"] == [{"id": "k-1", "complaints": 10, "probability": 1.0, "unfounded_probability": 0.9}]
    assert body["without_clusters"] == {"k-1": 12.0}


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [("1", "review"), ("3", "review"), ("4", "hold"), ("12", "hold"), ("13", "none"), ("999999999999", "none")],
)
def test_the_platform_names_its_threshold(asked: Api, threshold: str, expected: str) -> None:
    assert asked.get(f"/v1/targets/hot?threshold={threshold}").json()["recommendation"] == expected


def test_a_whole_number_is_an_integer_however_it_is_written(asked: Api) -> None:
    found = [
        asked.post("/v1/targets/assess", json={"target_ids": ["hot"], "threshold": threshold}).json()["items"][0][
            "recommendation"
        ]
        for threshold in (9.0, 9, 13.0)
    ]
    assert found == ["hold", "hold", "none"]
    assert asked.get(f"/v1/targets/hot?threshold={10**15}").status_code == 200


@pytest.mark.parametrize(
    "threshold", ["0", "-1", str(10**15 + 1), "8.5", "eight", "", " 8", "1e3", "٨", "9" * 400, "8&threshold=9"]
)
def test_a_threshold_that_is_no_integer_from_one_is_refused(asked: Api, threshold: str) -> None:
    assert is_problem(asked.get(f"/v1/targets/hot?threshold={threshold}"), 422)["errors"][0]["pointer"] == "/threshold"


@pytest.mark.parametrize(
    "identifier", [".", "..", "a/brief", "assess", "%", "%2F", "😀", "a b+c", "é" * 128, "?x=1#y", "..;/x", "//"]
)
def test_every_permitted_id_can_be_asked_for(asked: Api, identifier: str) -> None:
    write_totals(asked.redis.blocking, "default", {key_of(identifier): 4})
    escaped = "".join(f"%{byte:02x}" for byte in identifier.encode()).encode()
    answer = asked.request("GET", "/", raw_path=b"/v1/targets/" + escaped)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["target_id"], answer.json()["complaints"]) == (identifier, 4)


def test_dots_and_signs_may_be_sent_as_they_are(asked: Api) -> None:
    for raw, identifier in (
        (b"/v1/targets/..", ".."),
        (b"/v1/targets/.", "."),
        (b"/v1/targets/a+b:c@d", "a+b:c@d"),
        ("/v1/targets/é".encode(), "é"),
    ):
        assert asked.request("GET", "/", raw_path=raw).json()["target_id"] == identifier


@pytest.mark.parametrize(
    "raw", [b"/v1/targets/a/b", b"/v1/targets/", b"/v1/targets", b"/v1//targets/a", b"/v1/targets/a/"]
)
def test_what_is_no_single_segment_is_another_path(asked: Api, raw: bytes) -> None:
    is_problem(asked.request("GET", "/", raw_path=raw), 404)


@pytest.mark.parametrize("escaped", [b"%FF", b"%00", b"%C2%9F", b"x" * 129, b"%ED%A0%80"])
def test_what_could_be_no_id_is_refused_with_a_pointer(asked: Api, escaped: bytes) -> None:
    assert (
        is_problem(asked.request("GET", "/", raw_path=b"/v1/targets/" + escaped), 422)["errors"][0]["pointer"] == "/id"
    )


def test_head_is_get_without_a_body(asked: Api) -> None:
    answer = asked.request("HEAD", "/v1/targets/hot")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


def test_many_targets_are_answered_in_the_order_asked_repeats_included(asked: Api) -> None:
    ids = ["hot", "never", "calm", "hot", ".."]
    items = asked.post("/v1/targets/assess", json={"target_ids": ids, "threshold": 9}).json()["items"]
    assert [(item["target_id"], item["complaints"], item["recommendation"]) for item in items] == [
        ("hot", 12, "hold"),
        ("never", 0, "none"),
        ("calm", 9, "none"),
        ("hot", 12, "hold"),
        ("..", 0, "none"),
    ]
    assert items[0] == items[3]
    assert items[0] == {**asked.get("/v1/targets/hot?threshold=9").json(), "as_of": items[0]["as_of"]}


def test_five_hundred_targets_at_once_and_not_one_more(asked: Api) -> None:
    assert len(asked.post("/v1/targets/assess", json={"target_ids": ["😀" * 128] * 500}).json()["items"]) == 500
    assert (
        is_problem(asked.post("/v1/targets/assess", json={"target_ids": ["a"] * 501}), 422)["errors"][0]["pointer"]
        == "/target_ids"
    )


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"target_ids": []}, "/target_ids"),
        ({}, "/target_ids"),
        ({"target_ids": ["a", 5]}, "/target_ids/1"),
        ({"target_ids": ["a", ""]}, "/target_ids/1"),
        ({"target_ids": "a"}, "/target_ids"),
        ({"target_ids": ["a"], "threshold": 0}, "/threshold"),
        ({"target_ids": ["a"], "threshold": "8"}, "/threshold"),
        ({"target_ids": ["a"], "threshold": 8.5}, "/threshold"),
        ({"target_ids": ["a"], "threshold": 1e300}, "/threshold"),
        ({"target_ids": ["a"], "threshold": True}, "/threshold"),
        ({"target_ids": ["a"], "other": 1}, "/other"),
        (["a"], ""),
        ("a", ""),
    ],
)
def test_a_question_that_does_not_fit_is_pointed_at(asked: Api, body: Any, pointer: str) -> None:
    assert is_problem(asked.post("/v1/targets/assess", json=body), 422)["errors"][0]["pointer"] == pointer


def test_a_question_that_is_no_json_is_refused(asked: Api) -> None:
    headers = {"content-type": "application/json"}
    for content, status in (
        (b"{", 400),
        (b"\xff", 400),
        (b'{"target_ids": ["\\ud800"]}', 400),
        (b"[" * 900, 400),
        (b"[" * 50_000, 413),
        (b"", 400),
        (b" " * 1_100_000, 413),
    ):
        is_problem(asked.post("/v1/targets/assess", content=content, headers=headers), status)
    is_problem(asked.post("/v1/targets/assess", content=b"{}", headers={"content-type": "text/plain"}), 415)


def test_asking_needs_the_scope_read(asked: Api) -> None:
    key = asked.key("default", "ingest")
    is_problem(asked.get("/v1/targets/hot", key=key), 403)
    is_problem(asked.post("/v1/targets/assess", json={"target_ids": ["hot"]}, key=key), 403)
    is_problem(asked.get("/v1/pipeline", key=key), 403)
    is_problem(asked.get("/v1/targets/hot", key="nobody's"), 401)


def test_another_tenants_target_answers_as_one_never_seen(asked: Api) -> None:
    theirs, never = (
        asked.get("/v1/targets/hot", tenant="other").json(),
        asked.get("/v1/targets/never", tenant="other").json(),
    )
    assert {**theirs, "target_id": "", "as_of": ""} == {**never, "target_id": "", "as_of": ""}


def test_items_that_wait_are_told(asked: Api) -> None:
    asked.post("/v1/complaints", json=[complaint("a"), complaint("b")])
    write_progress(asked.redis.blocking, "default", analysed=1, as_of_us=1_000_000)
    body = asked.get("/v1/targets/hot").json()
    assert (body["pending"], body["as_of"]) == (True, "1970-01-01T00:00:01Z")
    write_progress(asked.redis.blocking, "default", analysed=2)
    assert asked.get("/v1/targets/hot").json()["pending"] is False


def test_answers_are_observed(asked: Api) -> None:
    @dataclass
    class Seen(MetricsSink):
        accepted_items: int = 0
        rejected_items: int = 0
        questions: int = 0

        def accepted(self, tenant: str, n: int) -> None:
            self.accepted_items += n

        def rejected(self, tenant: str, n: int) -> None:
            self.rejected_items += n

        def assessed(self, seconds: float) -> None:
            self.questions += seconds > 0

    seen = asked.app.state.observe = Seen()
    asked.post("/v1/complaints", json=[complaint("a"), {}, complaint("b")])
    asked.get("/v1/targets/hot")
    asked.post("/v1/targets/assess", json={"target_ids": ["hot"]})
    assert seen == Seen(2, 1, 2)


class TestPipeline:
    def test_a_tenant_that_never_sent_anything_is_at_zero(self, api: Api) -> None:
        assert api.get("/v1/pipeline").json() == {
            "accepted": 0,
            "archived": 0,
            "duplicates": 0,
            "conflicting": 0,
            "late": 0,
            "analysed": 0,
            "pending": 0,
            "dead_letters": 0,
            "analysed_position": 0,
            "swept_position": 0,
            "lag_seconds": 0.0,
            "watermark": None,
        }

    def test_what_is_in_the_stream_is_pending_and_ages(self, api: Api) -> None:
        api.post("/v1/complaints", json=[complaint("a"), complaint("b")])
        api.post("/v1/complaints", json=complaint("c"))
        oldest = stream.read_entries(api.redis.blocking, "default", "test", 1)[0].received_us
        api.app.state.api.now = lambda: moment(oldest + 2_500_000)
        body = api.get("/v1/pipeline").json()
        assert (body["accepted"], body["archived"], body["pending"], body["lag_seconds"]) == (3, 0, 3, 2.5)

    def test_what_is_archived_waits_for_analysis_and_what_is_dead_for_nobody(self, api: Api) -> None:
        api.post("/v1/complaints", json=[complaint(str(n)) for n in range(10)])
        with write(api.engine) as connection:
            tenant = 1
            connection.execute(
                update(ingest_state)
                .where(ingest_state.c.tenant_id == tenant)
                .values(archived_position=8, archived=7, duplicates=2, last_seq=5, watermark_us=1_000_000)
            )
            connection.execute(
                update(analysis_state)
                .where(analysis_state.c.tenant_id == tenant)
                .values(cursor_seq=2, analysed_position=4, analysed=2)
            )
            row = {
                "tenant_id": tenant,
                "first_seq": 1,
                "last_seq": 2,
                "last_position": 4,
                "items": 4,
                "received_us": 10,
                "oldest_received_us": 10,
                "payload": b"",
            }
            connection.execute(
                insert(feed),
                [
                    row,
                    {
                        **row,
                        "first_seq": 3,
                        "last_seq": 5,
                        "last_position": 8,
                        "items": 3,
                        "received_us": 30,
                        "oldest_received_us": 20,
                    },
                ],
            )
            connection.execute(
                insert(dead_letters).values(
                    tenant_id=tenant, position=8, received_us=30, dead_us=40, error="broken", line="c{}"
                )
            )
        api.app.state.api.now = lambda: moment(1_000_020)
        body = api.get("/v1/pipeline").json()
        assert (body["accepted"], body["archived"], body["duplicates"], body["analysed"], body["dead_letters"]) == (
            10,
            7,
            2,
            2,
            1,
        )
        assert (body["pending"], body["analysed_position"], body["lag_seconds"]) == (2 + 3, 4, 1.0)
        assert body["watermark"] == "1970-01-01T00:00:01Z"
        with write(api.engine) as connection:
            connection.execute(update(dead_letters).values(resent_us=50))
        body = api.get("/v1/pipeline").json()
        assert (body["dead_letters"], body["pending"]) == (0, 6)

    def test_pending_ends_at_zero_and_so_does_the_lag(self, api: Api) -> None:
        api.post("/v1/complaints", json=[complaint("a"), complaint("b")])
        with write(api.engine) as connection:
            connection.execute(update(ingest_state).values(archived_position=2, archived=2, last_seq=2))
            connection.execute(update(analysis_state).values(cursor_seq=2, analysed_position=2, analysed=2))
            connection.execute(delete(feed))
        body = api.get("/v1/pipeline").json()  # the archived entry is still in the stream: acknowledging comes last
        assert (body["accepted"], body["pending"], body["lag_seconds"]) == (2, 0, 0.0)


class TestDocuments:
    def test_openapi_describes_every_route_with_an_example_and_every_failure_as_a_problem(self, api: Api) -> None:
        document = api.get("/openapi.json").json()
        operations = {
            (method.upper(), path): operation
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }
        assert {
            ("POST", "/v1/complaints"),
            ("POST", "/v1/outcomes"),
            ("DELETE", "/v1/complaints/{id}"),
            ("GET", "/v1/targets/{id}"),
            ("POST", "/v1/targets/assess"),
            ("GET", "/v1/pipeline"),
            ("GET", "/healthz"),
            ("GET", "/readyz"),
            ("GET", "/v1/clusters"),
            ("GET", "/v1/clusters/{id}"),
            ("GET", "/v1/reporters/{id}"),
            ("POST", "/v1/clusters/{id}/decisions"),
        } <= set(operations)
        for name, operation in operations.items():
            good = next(answer for status, answer in operation["responses"].items() if status < "3")
            assert "204" in operation["responses"] or any(
                "example" in content or "examples" in content for content in good["content"].values()
            ), name
            for status, answer in operation["responses"].items():
                if status >= "4":
                    assert list(answer["content"]) == ["application/problem+json"], (name, status)

    def test_openapi_names_no_schema_that_it_does_not_hold(self, api: Api) -> None:
        document = api.get("/openapi.json").json()

        def references(part: Any) -> Iterator[str]:
            for name, value in (
                part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
            ):
                if name == "$ref":
                    yield value
                else:
                    yield from references(value)

        assert {reference.removeprefix("#/components/schemas/") for reference in references(document)} <= set(
            document["components"]["schemas"]
        )

    def test_the_interactive_documents_load_nothing_from_outside(self, api: Api) -> None:
        page = api.get("/docs")
        assert page.status_code == 200
        assert "http://" not in page.text
        assert "https://" not in page.text
        for path in (
            "/static-offline-docs/swagger-ui-bundle.js",
            "/static-offline-docs/swagger-ui.css",
            "/static-offline-docs/favicon.png",
        ):
            assert path in page.text
            assert api.get(path).status_code == 200


def test_health_and_readiness_say_no_more_than_that(api: Api) -> None:
    alive, ready = api.redis.run(api.client.get("/healthz")), api.redis.run(api.client.get("/readyz"))
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_a_real_server_answers_the_same(make_api: Callable[..., Api], real_redis: RedisClients) -> None:
    api = make_api(real_redis)
    assert api.get("/v1/targets/hot").json()["complaints"] == 0
    write_totals(api.redis.blocking, "default", {key_of("hot"): 12})
    write_memberships(api.redis.blocking, "default", {key_of("hot"): CERTAIN})
    assert api.get("/v1/targets/hot").json()["recommendation"] == "hold"


def test_the_document_bounds_a_threshold_as_the_service_does(asked: Api) -> None:
    document = asked.get("/openapi.json").json()
    bounded = document["components"]["schemas"]["AssessRequest"]["properties"]["threshold"]["anyOf"][0]
    assert (bounded["type"], bounded["minimum"], bounded["maximum"]) == ("integer", 1, 10**15)
