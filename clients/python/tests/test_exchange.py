"""Requests and answers, without any network."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from scripted_servers import ASSESSMENT

from brigadewatch_client import Assessment, Complaint, Noted, Outcome, Receipt, Refused, Rejected, Unreachable, exchange
from brigadewatch_client.exchange import Answer, Batch

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def answer(status: int, document: Any, **headers: str) -> Answer:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(status, httpx.Headers({k.replace("_", "-"): v for k, v in headers.items()}), content, NOW)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("comment/5", "comment%2F5"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("a/brief", "a%2Fbrief"),
        ("assess", "assess"),
        ("%", "%25"),
        ("a b+c?d#e", "a%20b%2Bc%3Fd%23e"),
        ("😀", "%F0%9F%98%80"),
    ],
)
def test_an_id_is_one_segment_whatever_it_holds(identifier: str, expected: str) -> None:
    assert exchange.segment(identifier) == expected
    assert httpx.URL(f"http://x/v1/targets/{expected}/brief").raw_path == f"/v1/targets/{expected}/brief".encode()


@pytest.mark.parametrize("identifier", ["", "x" * 129, "a\nb", "a\x00", "\x85", "\ud800", 5, None, b"t"])
def test_what_can_be_no_id_is_refused_before_anything_is_sent(identifier: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid id"):
        exchange.segment(identifier)


@pytest.mark.parametrize("threshold", [0, -1, 1.5, "8", True, 10**16])
def test_a_threshold_is_a_positive_integer(threshold: Any) -> None:
    with pytest.raises(ValueError, match="threshold is"):
        exchange.ask_one("t", threshold)
    with pytest.raises(ValueError, match="threshold is"):
        exchange.ask_many(["t"], threshold)


def test_the_question_carries_the_threshold_only_where_one_is_given() -> None:
    assert exchange.ask_one("t", None).path == "/v1/targets/t"
    assert exchange.ask_one("t", 3).path == "/v1/targets/t?threshold=3"
    assert json.loads(exchange.ask_many(["t", "u", "t"], 3).content) == {"target_ids": ["t", "u", "t"], "threshold": 3}
    assert json.loads(exchange.ask_many(["t"], None).content) == {"target_ids": ["t"]}


def test_a_complaint_is_posted_without_what_it_does_not_say() -> None:
    bare = Complaint("c", NOW, "r", "t").document()
    assert bare == {
        "id": "c",
        "occurred_at": "2026-11-22T12:00:00+00:00",
        "reporter": {"id": "r"},
        "target": {"id": "t"},
    }
    full = Complaint(
        "c",
        NOW.astimezone(timezone(timedelta(hours=2))),
        "r",
        "t",
        account_created_at=NOW,
        fingerprint="f",
        trusted=True,
        kind="comment",
        author="a",
        context="x",
        url="u",
        excerpt="e",
        attributes={"is_reply": False},
        reason="abuse",
        text="words",
        notice_type="terms",
        context_title="An article",
        context_url="https://news.example/1",
    ).document()
    assert full["occurred_at"] == "2026-11-22T14:00:00+02:00"
    assert full["reporter"] == {
        "id": "r",
        "account_created_at": "2026-11-22T12:00:00+00:00",
        "fingerprint": "f",
        "trusted": True,
    }
    assert full["target"] == {
        "id": "t",
        "kind": "comment",
        "author_id": "a",
        "context_id": "x",
        "context_title": "An article",
        "context_url": "https://news.example/1",
        "url": "u",
        "excerpt": "e",
        "attributes": {"is_reply": False},
    }


def test_an_outcome_that_retracts_another_needs_no_verdict() -> None:
    assert Outcome("o2", "t", NOW, retracts="o1").document() == {
        "id": "o2",
        "target_id": "t",
        "decided_at": "2026-11-22T12:00:00+00:00",
        "decided_by": "person",
        "retracts": "o1",
    }
    assert "retracts" not in Outcome("o1", "t", NOW, "upheld").document()


def test_a_time_without_an_offset_is_refused_here_and_left_to_the_service_where_it_is_optional() -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001
    posted = Complaint("c", NOW, "r", "t", account_created_at=naive).document()
    assert posted["reporter"]["account_created_at"] == "2026-11-22T00:00:00"
    for item in (
        Complaint("c", naive, "r", "t"),
        Outcome("o", "t", naive, "upheld"),
        {"id": "c", "occurred_at": naive},
    ):
        with pytest.raises(ValueError, match="no offset"):
            list(exchange.batches([item]))


def test_items_go_out_in_batches_that_the_service_takes() -> None:
    items = [{"id": str(k)} for k in range(2_500)]
    made = list(exchange.batches(iter(items)))
    assert [len(b.lines) for b in made] == [1_000, 1_000, 500]
    assert [b.given for b in made] == [1_000, 2_000, 2_500]
    assert made[1].indexes[0] == 1_000
    large = [{"id": str(k), "text": "x" * 900_000} for k in range(10)]
    sizes = [sum(len(line) + 1 for line in b.lines) for b in exchange.batches(large)]
    assert len(sizes) == 3 and max(sizes) <= exchange.MAX_BATCH_BYTES + 1
    assert list(exchange.batches([])) == []


def test_an_item_too_long_for_the_service_is_rejected_here_and_the_others_go() -> None:
    items = [{"id": "a"}, {"id": "huge", "text": "x" * 1_100_000}, {"id": "b"}]
    (batch,) = exchange.batches(items)
    assert batch.indexes == [0, 2]
    assert [(r.index, r.id) for r in batch.refused] == [(1, "huge")]
    (alone,) = exchange.batches(items[1:2])
    assert exchange.post_batch("/v1/complaints", alone) is None


@pytest.mark.parametrize("item", [{"id": object()}, {"id": float("nan")}, {"id": b"x"}, {1: {2: {3}}}])
def test_an_item_that_is_no_json_is_named_by_its_place(item: Any) -> None:
    with pytest.raises(ValueError, match="item 1 cannot be sent"):
        list(exchange.batches([{"id": "fine"}, item]))


def test_a_large_batch_is_compressed_and_a_small_one_is_not() -> None:
    small = exchange.post_batch("/p", Batch([b"{}"], [0], [], 1))
    large = exchange.post_batch("/p", Batch([b'{"id":"x"}'] * 500, range(500), [], 500))
    assert small is not None and large is not None and small.headers is not None and large.headers is not None
    assert "Content-Encoding" not in small.headers
    assert large.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(large.content).count(b"\n") == 499


def test_an_assessment_is_read_and_what_is_new_in_it_is_kept() -> None:
    read = exchange.read_assessment(answer(200, {**ASSESSMENT, "new_in_version_9": 1}), "t")
    assert (read.complaints, read.independent_complaints, read.recommendation, read.clusters[0].id) == (
        12,
        4.333333,
        "hold",
        "k-1",
    )
    assert read.as_of == datetime(2021, 12, 23, 14, 3, tzinfo=UTC)
    assert read.document["new_in_version_9"] == 1


def test_what_a_newer_service_says_is_read_and_an_older_one_does_not_say_it() -> None:
    older = Assessment.read(ASSESSMENT)
    assert (older.unseen, older.retry_after_ms, older.trusted_notices) == (None, None, None)
    newer = Assessment.read({**ASSESSMENT, "recommendation": "wait", "unseen": 8, "retry_after_ms": 250})
    assert (newer.recommendation, newer.unseen, newer.retry_after_ms) == ("wait", 8, 250)
    assert Assessment.read({**ASSESSMENT, "trusted_notices": 2}).trusted_notices == 2
    assert Assessment.read({**ASSESSMENT, "trusted_notices": None}).trusted_notices is None


@pytest.mark.parametrize("name", ["after", "counted"])
@pytest.mark.parametrize("value", [-1, "8", 1.5, True, 10**16])
def test_a_position_and_a_count_are_integers(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is"):
        exchange.ask_one("t", 8, **{name: value})


@pytest.mark.parametrize("wait", [-0.1, 5.1, "1", True, float("nan"), float("inf")])
def test_the_service_waits_for_five_seconds_at_most(wait: Any) -> None:
    with pytest.raises(ValueError, match="wait is .* from 0 to 5"):
        exchange.ask_one("t", 8, wait=wait)
    with pytest.raises(ValueError, match="wait is .* from 0 to 5"):
        exchange.ask_many(["t"], 8, wait=wait)


def test_a_question_carries_what_it_was_given() -> None:
    assert exchange.ask_one("t", 8, after=41, wait=1.5, counted=9).path == (
        "/v1/targets/t?threshold=8&after=41&wait=1500&counted=9"
    )
    assert exchange.ask_one("t", None, after=0, wait=0, counted=0).path == "/v1/targets/t?after=0&wait=0&counted=0"
    assert json.loads(exchange.ask_many(["t"], 8, after=41, wait=0.25).content) == {
        "target_ids": ["t"],
        "threshold": 8,
        "after": 41,
        "wait": 250,
    }


def test_a_report_is_one_request_of_at_most_twenty_complaints() -> None:
    items = [Complaint(f"c{k}", NOW, "r", f"t{k // 2}") for k in range(20)]
    question = exchange.report(exchange.report_batch(iter(items)), 8, 0.5)
    assert question is not None and question.path == "/v1/complaints?assess=true&threshold=8&wait=500"
    assert len(exchange.report_batch(items[0]).lines) == 1
    with pytest.raises(ValueError, match="21 complaints, and at most 20"):
        exchange.report_batch([*items, items[0]])
    with pytest.raises(ValueError, match="bytes together"):
        exchange.report_batch([{"id": str(k), "text": "x" * 900_000} for k in range(10)])
    assert exchange.report(exchange.report_batch([]), 8, 0) is None
    nothing: Any = None
    with pytest.raises(ValueError, match="threshold is None"):
        exchange.report(exchange.report_batch(items), nothing, 0)


def test_the_targets_of_a_report_are_those_of_the_complaints_that_were_taken() -> None:
    batch = exchange.report_batch(
        [{"id": str(k), "target": target} for k, target in enumerate(({"id": "t"}, 5, {}, {"id": "u"}, {"id": "t"}))]
    )
    assert exchange.targets_of(batch, None) == ["t", "u"]
    assert exchange.targets_of(batch, Receipt(3, (Rejected(0, "0", "d"), Rejected(3, "3", "d")), 2, 9)) == ["t"]


@pytest.mark.parametrize("assessments", [5, [{}], [{**ASSESSMENT, "recommendation": "later"}], {"t": ASSESSMENT}])
def test_a_receipt_with_what_can_be_no_assessments_acknowledges_nothing(assessments: Any) -> None:
    document = {"accepted": 1, "rejected": [], "rejected_count": 0, "position": 9}
    batch = Batch([b"{}"], [0], [], 1)
    assert exchange.read_receipt(answer(202, document), batch).assessments is None
    assert exchange.read_receipt(answer(202, {**document, "assessments": None}), batch).assessments is None
    read = exchange.read_receipt(answer(202, {**document, "assessments": [ASSESSMENT]}), batch)
    assert read.assessments == (Assessment.read(ASSESSMENT),)
    assert (Receipt() + read + read).assessments == read.assessments * 2
    assert (read + Receipt()).assessments == read.assessments
    with pytest.raises(Unreachable):
        exchange.read_receipt(answer(202, {**document, "assessments": assessments}), batch)


@pytest.mark.parametrize(
    "document",
    [
        b"<html>sign in to the wifi</html>",
        b"",
        b"\xff\xfe",
        [],
        None,
        5,
        {},
        {"recommendation": "hold"},
        {**ASSESSMENT, "recommendation": "delete everything"},
        {**ASSESSMENT, "complaints": "many"},
        {**ASSESSMENT, "clusters": {"a": 1}},
        {**ASSESSMENT, "as_of": "yesterday"},
        {**ASSESSMENT, "without_clusters": []},
        {**ASSESSMENT, "target_id": "another"},
        {**ASSESSMENT, "complaints": None},
        {**ASSESSMENT, "unseen": "many"},
        {**ASSESSMENT, "unseen": -1},
        {**ASSESSMENT, "trusted_notices": "some"},
        {**ASSESSMENT, "retry_after_ms": 0.5},
        {**ASSESSMENT, "retry_after_ms": True},
    ],
)
def test_whatever_else_answers_200_is_no_answer(document: Any) -> None:
    with pytest.raises(Unreachable):
        exchange.read_assessment(answer(200, document), "t")
    with pytest.raises(Unreachable):
        exchange.read_assessments(
            answer(200, {"items": [document]} if not isinstance(document, bytes) else document), ["t"]
        )
    if isinstance(document, dict):
        Assessment.read(ASSESSMENT)


def test_fewer_assessments_than_asked_are_no_answer() -> None:
    with pytest.raises(Unreachable):
        exchange.read_assessments(answer(200, {"items": []}), ["t"])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 301, 302, 307])
def test_what_somebody_has_to_look_at_is_refused(status: int) -> None:
    failure = exchange.failure(
        answer(
            status,
            {
                "detail": "because",
                "errors": [{"id": "c", "detail": "d", "pointer": "/p"}, "no error"],
                "rejected_count": 7,
            },
            location="https://elsewhere",
        )
    )
    assert isinstance(failure, Refused)
    assert failure.status == status
    if status >= 400:
        assert (failure.rejected_count, len(failure.errors)) == (7, 1)
        assert "because" in str(failure)
    else:
        assert "elsewhere" in str(failure)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 204, 206, 999])
def test_what_passes_by_itself_is_unreachable(status: int) -> None:
    failure = exchange.failure(answer(status, {"detail": "because"}, Retry_After="7"))
    assert isinstance(failure, Unreachable)
    assert (failure.status, failure.retry_after) == (status, 7.0)


@pytest.mark.parametrize("body", [b"<html>\xff", b"", b"[1]", b'{"detail": 5, "errors": 5, "rejected_count": "x"}'])
def test_a_failure_in_strange_words_is_still_one(body: bytes) -> None:
    assert isinstance(exchange.failure(answer(403, body)), Refused)
    assert isinstance(exchange.failure(answer(503, body)), Unreachable)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("-3", 0.0),
        ("1.5", 1.5),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 99 Nov 2026 12:00:30 GMT", None),
        ("Sun, 22 Nov 99999999999999999999 12:00:30 GMT", None),
        ("Sun, 22 Nov 2026 12:00:30 +99999999999999", None),
        ("9" * 4_000, None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_606_951_999.0),
        ("1 Jan 0001 00:00:00 +2359", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert exchange.retry_after(value, NOW) == seconds


def test_a_receipt_points_at_the_items_that_were_given() -> None:
    batch = Batch([b"{}"] * 3, [0, 2, 5], [], 6)
    receipt = exchange.read_receipt(
        answer(
            202,
            {
                "accepted": 1,
                "rejected": [
                    {"line": 3, "id": None, "detail": "d", "pointer": "/id"},
                    {"line": 99, "id": 5, "detail": "d"},
                ],
                "rejected_count": 2,
                "notes": [{"line": 2, "id": "c", "detail": "cut", "pointer": "/reason"}],
                "notes_count": 7,
                "position": 9,
            },
        ),
        batch,
    )
    assert (receipt.notes, receipt.notes_count) == ((Noted(2, "c", "cut", "/reason"),), 7)
    assert ((receipt + receipt).notes, (receipt + Receipt()).notes_count) == (receipt.notes * 2, 7)
    assert [(r.index, r.id, r.pointer) for r in receipt.rejected] == [(5, None, "/id"), (-1, None, "")]
    assert (receipt.accepted, receipt.rejected_count, receipt.position) == (1, 2, 9)


def test_a_batch_of_which_nothing_was_valid_is_a_receipt_too() -> None:
    batch = Batch([b"{}"], [4], [], 5)
    receipt = exchange.read_receipt(
        answer(
            422,
            {"detail": "none", "errors": [{"line": 1, "id": "c", "detail": "d", "pointer": "/p"}], "rejected_count": 1},
        ),
        batch,
    )
    assert (receipt.accepted, receipt.rejected[0].index, receipt.position) == (0, 4, None)
    with pytest.raises(Refused):
        exchange.read_receipt(answer(422, {"detail": "no errors named"}), batch)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"accepted": "x", "rejected": [], "rejected_count": 0, "position": 1},
        {"accepted": 1, "rejected": [5], "rejected_count": 0, "position": 1},
        {"accepted": 1, "rejected": [], "rejected_count": 0, "position": 1, "notes": [5]},
        b"ok",
    ],
)
def test_a_202_that_is_no_receipt_acknowledges_nothing(document: Any) -> None:
    with pytest.raises(Unreachable):
        exchange.read_receipt(answer(202, document), Batch([b"{}"], [0], [], 1))
