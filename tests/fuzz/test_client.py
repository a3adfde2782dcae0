"""What the Python client makes of answers that are none of ours: an error of its own, never another."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from brigadewatch_client import exchange
from brigadewatch_client.advice import advise
from brigadewatch_client.errors import BrigadewatchError
from brigadewatch_client.exchange import Answer, Batch
from tests.fuzz.cases import NASTY, TEXTS, cases, json_values

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = st.sampled_from(
    [
        "target_id",
        "complaints",
        "trusted_notices",
        "independent_complaints",
        "coordinated_probability",
        "recommendation",
        "clusters",
        "without_clusters",
        "as_of",
        "pending",
        "id",
        "probability",
        "unfounded_probability",
        "items",
        "accepted",
        "rejected",
        "rejected_count",
        "position",
        "line",
        "detail",
        "pointer",
        "errors",
        "title",
        "status",
    ]
)
ASSESSMENT = {
    "target_id": "t",
    "complaints": 12,
    "trusted_notices": 1,
    "independent_complaints": 4.3,
    "coordinated_probability": 0.8,
    "recommendation": "hold",
    "clusters": [{"id": "k", "complaints": 9, "probability": 0.9, "unfounded_probability": 0.8}],
    "without_clusters": {"k": 12.0},
    "as_of": "2026-11-22T12:00:00Z",
    "pending": False,
}
NEARLY = st.dictionaries(st.sampled_from(sorted(ASSESSMENT)), json_values(NAMES), max_size=3).map(
    lambda changes: {**ASSESSMENT, **changes}
)
BODIES = (
    st.binary(max_size=100)
    | json_values(NAMES).map(lambda value: json.dumps(value).encode())
    | NEARLY.map(lambda value: json.dumps(value).encode())
)
ANSWERS = st.builds(
    Answer,
    st.sampled_from([200, 202, 204, 301, 400, 401, 404, 408, 413, 422, 425, 429, 500, 503, 599, 99]),
    st.dictionaries(
        st.sampled_from(["retry-after", "location", "content-type"]),
        TEXTS | st.from_regex(r"[0-9]{1,30}|Sun, [0-9]{1,3} Nov [0-9]{1,20} 12:00:00 GMT", fullmatch=True),
        max_size=2,
    ),
    BODIES,
    st.just(NOW),
)
BATCH = Batch([b"{}"] * 3, [0, 2, 5], [], 6)


@cases(answer=ANSWERS)
def test_any_answer_is_parsed_or_raises_an_error_of_the_client(answer: Answer) -> None:
    for read in (
        lambda: exchange.read_assessment(answer, "t"),
        lambda: exchange.read_assessments(answer, ["t", "u"]),
        lambda: exchange.read_receipt(answer, BATCH),
        lambda: exchange.read_document(answer, 200),
    ):
        try:
            read()
        except BrigadewatchError as error:
            assert len(str(error)) < 5_000
    wait = exchange.retry_after(answer.headers.get("retry-after"), NOW)
    assert wait is None or wait >= 0
    str(exchange.failure(answer))


@cases(document=NEARLY, threshold=st.integers(1, 10**15), counted=st.none() | st.integers(0, 10**9))
def test_any_assessment_gives_a_decision_or_an_error(document: Any, threshold: int, counted: int | None) -> None:
    try:
        assessment = exchange.read_assessment(Answer(200, {}, json.dumps(document).encode(), NOW), "t")
    except BrigadewatchError:
        return
    found = advise(assessment, threshold, counted)
    assert found is None or found.recommendation in ("hold", "review", "none")


@cases(items=st.lists(st.dictionaries(TEXTS, json_values(), max_size=4), max_size=5), identifier=TEXTS | NASTY)
def test_items_are_sent_one_per_line_or_raise_an_error(items: list[dict[str, Any]], identifier: str) -> None:
    try:
        batches = list(exchange.batches(items))
    except ValueError:
        return
    assert sum(len(batch.lines) + len(batch.refused) for batch in batches) == len(items)
    assert all(b"\n" not in line for batch in batches for line in batch.lines)
    try:
        part = exchange.segment(identifier)
    except ValueError:
        return
    assert "/" not in part and part not in (".", "..")
