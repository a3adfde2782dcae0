"""Complaints that are not analysed yet: asking again, for how long, and what is done after that."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from scripted_servers import ASSESSMENT, RECEIPT, Scripted
from test_clients import RawServer, silent

from brigadewatch_client import Advice, Assessment, AsyncClient, Client, Complaint, Refused, Reported
from brigadewatch_client.advice import advise, pause

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NEWER = {**ASSESSMENT, "unseen": 0, "retry_after_ms": None}
WAIT = {**NEWER, "complaints": 2, "unseen": 8, "recommendation": "wait", "retry_after_ms": 20, "pending": True}
NONE = {**NEWER, "complaints": 9, "independent_complaints": 9.0, "recommendation": "none"}
FEW = {**NEWER, "complaints": 3, "independent_complaints": 3.0, "recommendation": "none"}
COMPLAINT = Complaint("c", NOW, "r", "t")
Calls = Callable[..., Any]


def said(*documents: Any) -> list[tuple[int, dict[str, str], Any]]:
    return [document if isinstance(document, tuple) else (200, {}, document) for document in documents]


def receipt(*assessments: Any, **more: Any) -> tuple[int, dict[str, str], Any]:
    return 202, {}, {**RECEIPT, **more, "assessments": list(assessments)}


@pytest.fixture(params=["sync", "async"])
def calls(request: pytest.FixtureRequest, scripted: Scripted) -> Calls:
    """Calls a method of either client: name, arguments, and of the client `when_unreachable` and `timeout`."""

    def call(
        name: str, *arguments: Any, when_unreachable: Any = "open", url: str = "", timeout: float = 2.0, **named: Any
    ) -> Any:
        def made(kind: Any) -> Any:
            return kind(url or scripted.url, "k", when_unreachable=when_unreachable, timeout=timeout)

        async def ask() -> Any:
            async with made(AsyncClient) as client:
                return await getattr(client, name)(*arguments, **named)

        if request.param == "async":
            return asyncio.run(ask())
        with made(Client) as client:
            return getattr(client, name)(*arguments, **named)

    return call


def queries(scripted: Scripted) -> list[dict[str, list[str]]]:
    return [parse_qs(urlsplit(seen.path).query) for seen in scripted.seen]


def test_while_the_answer_is_to_wait_it_is_asked_again(calls: Calls, scripted: Scripted) -> None:
    scripted.says(*said(WAIT, WAIT, ASSESSMENT))
    advice: Advice = calls("may_remove", "t", 8, after=41, counted=9)
    assert (advice.recommendation, advice.reached, advice.remove) == ("hold", True, False)
    first, *_, last = queries(scripted)
    assert len(scripted.seen) == 3
    assert (first["after"], first["wait"], first["counted"]) == (["41"], ["1000"], ["9"])
    assert (last["after"], last["counted"]) == (["41"], ["9"])


def test_the_service_is_asked_again_as_late_as_it_says() -> None:
    assert pause(Assessment.read({**WAIT, "retry_after_ms": 2_250})) == 2.25
    assert pause(Assessment.read({**WAIT, "retry_after_ms": 0})) == 0.01
    assert pause(Assessment.read(ASSESSMENT)) == 0.25


@pytest.mark.parametrize(("when_unreachable", "remove"), [("open", True), ("closed", False)])
def test_after_the_platforms_patience_it_decides_as_without_the_service(
    calls: Calls, scripted: Scripted, when_unreachable: str, remove: bool
) -> None:
    scripted.says(*said(WAIT))
    began = time.monotonic()
    advice: Advice = calls("may_remove", "t", 8, patience=0.3, when_unreachable=when_unreachable)
    assert time.monotonic() - began >= 0.3
    assert (advice.reached, advice.remove) == (False, remove)
    assert "still to wait after 0.3 s" in advice.why
    assert advice.assessment is not None and advice.assessment.unseen == 8
    assert len(scripted.seen) > 2
    assert {query["wait"][0] for query in queries(scripted)} == {"0"}, "there is no position to wait for"


def test_without_patience_it_is_asked_once(calls: Calls, scripted: Scripted) -> None:
    scripted.says(*said(WAIT))
    advice: Advice = calls("may_remove", "t", 8, after=41, patience=0, when_unreachable="closed")
    assert (advice.reached, advice.recommendation, len(scripted.seen)) == (False, "hold", 1)
    assert queries(scripted)[0]["wait"] == ["0"], "the service does not wait longer than the platform"


def test_an_outage_in_between_is_one(calls: Calls, scripted: Scripted) -> None:
    scripted.says(*said(WAIT, (503, {}, {"detail": "being rebuilt"})))
    advice: Advice = calls("may_remove", "t", 8)
    assert (advice.reached, advice.recommendation) == (False, "none")
    assert "being rebuilt" in advice.why


def test_the_bound_on_the_whole_call_holds_while_it_waits(calls: Calls, raw_server: RawServer) -> None:
    """The server is silent for a minute."""
    arguments = {"url": raw_server(silent), "timeout": 0.1, "patience": 0.3, "wait": 5}
    advice: Advice = calls("may_remove", "t", 8, after=41, **arguments)
    reported: Reported = calls("report_and_ask", COMPLAINT, 8, **arguments)
    assert (advice.reached, reported.receipt) == (False, None)
    for why in (advice.why, reported.advice["t"].why):  # `wait` is cut to the patience
        assert float(re.findall(r"no answer within ([\d.]+) s", why)[0]) <= 0.4


@pytest.mark.parametrize(
    ("document", "counted", "decides"),
    [
        (WAIT, None, False),
        (FEW, None, True),  # as many as it says, by its own count
        (FEW, 7, True),
        (FEW, 8, False),
        ({**ASSESSMENT, "recommendation": "none", "complaints": 7}, 8, False),  # version 0.2, which ignores `counted`
        ({**ASSESSMENT, "recommendation": "none", "complaints": 8}, 14, True),
        ({**ASSESSMENT, "complaints": 8}, 14, True),
        ({**WAIT, "recommendation": "hold"}, 14, True),  # all the others cannot carry it over the threshold
    ],
)
def test_an_answer_about_fewer_complaints_than_the_platform_counted_removes_nothing(
    document: Any, counted: int | None, decides: bool
) -> None:
    found = advise(Assessment.read(document), 8, counted)
    assert (found is not None) == decides
    assert found is None or (found.reached and found.recommendation == document["recommendation"])


def test_a_report_and_its_answer_are_one_round_trip(calls: Calls, scripted: Scripted) -> None:
    scripted.says(receipt(NONE))
    reported: Reported = calls("report_and_ask", COMPLAINT, 8)
    assert reported.receipt is not None and reported.receipt.position == 41
    assert reported.removable == ("t",)
    assert [seen.method for seen in scripted.seen] == ["POST"]
    assert scripted.seen[0].path == "/v1/complaints?assess=true&threshold=8&wait=1000"


def test_a_report_below_the_threshold_removes_nothing(calls: Calls, scripted: Scripted) -> None:
    scripted.says(receipt(FEW))
    reported: Reported = calls("report_and_ask", COMPLAINT, 8, counted={"t": 3})
    advice = reported.advice["t"]
    assert (advice.recommendation, advice.reached, advice.below, advice.remove) == ("none", True, True, False)
    assert reported.removable == ()


@pytest.mark.parametrize(
    "first",
    [
        receipt(WAIT),
        receipt(FEW),  # the platform counted eight: the others are on their way
        (202, {}, {**RECEIPT, "assessments": None}),  # stored, but not assessed
        (202, {}, RECEIPT),  # version 0.2 takes a post that asks for one that does not
    ],
)
def test_where_the_receipt_does_not_decide_the_target_is_asked_about(
    calls: Calls, scripted: Scripted, first: Any
) -> None:
    scripted.says(first, *said(ASSESSMENT))
    reported: Reported = calls("report_and_ask", [COMPLAINT], 8, counted={"t": 8})
    assert [(seen.method, seen.path.partition("?")[0]) for seen in scripted.seen] == [
        ("POST", "/v1/complaints"),
        ("GET", "/v1/targets/t"),
    ]
    assert (queries(scripted)[1]["after"], queries(scripted)[1]["counted"]) == (["41"], ["8"])
    assert (reported.advice["t"].recommendation, reported.removable) == ("hold", ())


@pytest.mark.parametrize(
    ("when_unreachable", "counted", "removable"),
    [("open", {"t": 8}, ("t",)), ("open", {"t": 7}, ()), ("open", None, ()), ("closed", {"t": 8}, ())],
)
def test_without_an_answer_the_platforms_own_count_decides(
    calls: Calls, scripted: Scripted, when_unreachable: str, counted: Any, removable: tuple[str, ...]
) -> None:
    scripted.says((503, {}, {"detail": "being rebuilt"}))
    reported: Reported = calls("report_and_ask", COMPLAINT, 8, counted=counted, when_unreachable=when_unreachable)
    assert reported.receipt is None, "it has to be sent again"
    assert reported.removable == removable
    assert not reported.advice["t"].reached and "being rebuilt" in reported.advice["t"].why


def test_a_report_that_waits_for_too_long_is_decided_by_what_is_known(calls: Calls, scripted: Scripted) -> None:
    scripted.says(receipt(WAIT), *said(WAIT))
    reported: Reported = calls("report_and_ask", COMPLAINT, 8, patience=0.1)
    assert reported.receipt is not None
    assert (reported.advice["t"].reached, reported.removable) == (False, ("t",))


def test_of_several_complaints_those_that_were_taken_are_answered(calls: Calls, scripted: Scripted) -> None:
    rejected = [{"line": 2, "id": "b", "detail": "'id' is required", "pointer": "/reporter/id"}]
    scripted.says(
        receipt(NONE, {**ASSESSMENT, "target_id": "u"}, accepted=2, rejected=rejected, rejected_count=1),
    )
    items = [COMPLAINT, {"id": "b", "target": {"id": "v"}}, Complaint("d", NOW, "r", "u")]
    reported: Reported = calls("report_and_ask", iter(items), 8)
    assert list(reported.advice) == ["t", "u"] and reported.removable == ("t",)
    assert reported.receipt is not None and [one.index for one in reported.receipt.rejected] == [1]


def test_a_single_complaint_that_is_not_valid_raises(calls: Calls, scripted: Scripted) -> None:
    error = {"line": 1, "id": "c", "detail": "'id' is required", "pointer": "/target/id"}
    scripted.says((422, {}, {"detail": "none is valid", "errors": [error], "rejected_count": 1}))
    with pytest.raises(Refused, match="/target/id"):
        calls("report_and_ask", {"id": "c"}, 8)
    assert calls("report_and_ask", [{"id": "c"}], 8).advice == {}
    scripted.says((403, {}, {"detail": "this key lacks the scope 'read'"}))
    with pytest.raises(Refused, match="lacks the scope"):
        calls("report_and_ask", COMPLAINT, 8)
    before = len(scripted.seen)
    with pytest.raises(Refused, match="1048576"):
        calls("report_and_ask", {"id": "c", "text": "x" * 1_100_000}, 8)
    assert calls("report_and_ask", [], 8).receipt.accepted == 0
    assert len(scripted.seen) == before


def test_assessments_may_say_to_wait(calls: Calls, scripted: Scripted) -> None:
    scripted.says(*said(WAIT))
    assert calls("assess", "t", 8, after=41, wait=0.5).recommendation == "wait"
    assert scripted.seen[0].path == "/v1/targets/t?threshold=8&after=41&wait=500"
    scripted.says(*said({"items": [WAIT]}))
    assert [one.recommendation for one in calls("assess_many", ["t"], 8, after=41, wait=0.5)] == ["wait"]


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("may_remove", {"wait": 6}, "wait is 6 .* from 0 to 5"),
        ("may_remove", {"patience": -1}, "patience is -1"),
        ("may_remove", {"patience": "2"}, "patience is '2'"),
        ("may_remove", {"patience": float("nan")}, "patience is nan"),
        ("may_remove", {"after": -1}, "after is -1"),
        ("may_remove", {"counted": "8"}, "counted is '8'"),
        ("assess", {"wait": "1"}, "wait is '1'"),
        ("report_and_ask", {"counted": 8}, "counted is 8 .* a target"),
        ("report_and_ask", {"counted": {"t": -1}}, "counted is -1"),
        ("report_and_ask", {"patience": True}, "patience is True"),
    ],
)
def test_what_can_be_no_bound_is_named_before_anything_is_sent(
    calls: Calls, scripted: Scripted, call: str, arguments: dict[str, Any], words: str
) -> None:
    about = COMPLAINT if call == "report_and_ask" else "t"
    with pytest.raises(ValueError, match=words):
        calls(call, about, 8, **arguments)
    assert scripted.seen == []
