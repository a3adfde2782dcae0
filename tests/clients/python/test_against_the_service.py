"""The client and the service: the API in this process, behind a real socket, and a whole `brigadewatch up`."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from up import Up, make_key
from worlds import document, draw_town

from brigadewatch_client import Advice, AsyncClient, Client, Complaint, Outcome, Refused, Unreachable
from tests.conftest import Api

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def asking(api: Api, *scopes: str, **arguments: Any) -> AsyncClient:
    """An async client of the API in this process. The whole way is in one process: the bound of a question is wide."""
    given: dict[str, Any] = {"when_unreachable": "closed", "timeout": 10.0, "retry_for": 0.0, **arguments}
    return AsyncClient(
        "http://testserver", api.key("default", *scopes), transport=httpx.ASGITransport(api.line), **given
    )


def complaints(count: int, target: str = "comment/5") -> list[Complaint]:
    return [
        Complaint(
            f"{target}-{k}",
            AT + timedelta(seconds=k),
            f"r{k}",
            target,
            account_created_at=AT - timedelta(days=k),
            fingerprint=f"f{k}",
            kind="comment",
            author="a",
            context="article-3",
            url="https://example.org/5",
            excerpt="I disagree.",
            attributes={"is_reply": False, "words": 2},
            reason="abuse",
            text="rude",
            notice_type="terms",
            part_of="another",
        )
        for k in range(count)
    ]


def test_every_field_that_the_client_knows_is_taken(api: Api) -> None:
    async def send() -> None:
        async with asking(api) as client:
            receipt = await client.complain_many(complaints(3))
            assert (receipt.accepted, receipt.rejected_count, receipt.position) == (3, 0, 3)
            receipt = await client.outcomes(
                [
                    Outcome("o-1", "comment/5", AT, "rejected", "kept"),
                    Outcome("o-2", "comment/5", AT, action="removed", decided_by="automatic"),
                    Outcome("o-3", "comment/5", AT, "upheld", "restored", "appeal", "comment/5-1"),
                ]
            )
            assert (receipt.accepted, receipt.rejected_count) == (3, 0)
            assert (await client.withdraw("comment/5-2")).position == 7

    api.redis.run(send())


@pytest.mark.parametrize("target", ["comment/5", "x" * 128])
def test_a_client_of_one_installation_uses_the_platforms_own_ids(api: Api, target: str) -> None:
    async def ask() -> None:
        async with asking(api, namespace="forum2") as second, asking(api) as bare:
            reported = await second.report_and_ask(one_complaint(target, 9), 1, counted={target: 1})
            assert reported.receipt is not None and reported.receipt.assessments is not None
            assert [one.target_id for one in reported.receipt.assessments] == list(reported.advice) == [target]
            assert (await second.complain_many([one_complaint(target, k) for k in range(3)])).accepted == 3
            assert (await bare.complain_many([one_complaint(target, k) for k in range(2)])).accepted == 2
            assert (await second.outcome(Outcome("o-1", target, AT, "upheld"))).accepted == 1
            assert (await second.withdraw("c-0")).accepted == 1
            for client, many in ((second, 4), (bare, 2)):
                assert ((await client.assess(target)).target_id, (await client.assess(target)).unseen) == (target, many)
                several = await client.assess_many([target, "unknown"])
                assert [(one.target_id, one.unseen) for one in several] == [(target, many), ("unknown", 0)]
                assert (await client.may_remove(target, 8)).target_id == target
            assert (await second.brief(target))["target_id"].startswith("forum2:")

    api.redis.run(ask())


def one_complaint(target: str, k: int) -> Complaint:
    return Complaint(f"c-{k}", AT, f"r{k}", target)


def test_large_batches_and_single_items_arrive(api: Api) -> None:
    async def send() -> None:
        async with asking(api) as client:
            receipt = await client.complain_many(complaints(1_200))
            assert (receipt.accepted, receipt.position) == (1_200, 1_200)
            assert (await client.complain(complaints(1)[0])).accepted == 1
            assert (
                await client.outcome({"id": "o", "target_id": "t", "decided_at": AT, "verdict": "upheld"})
            ).accepted == 1

    api.redis.run(send())


def test_what_is_not_valid_is_pointed_at_and_the_rest_is_taken(api: Api) -> None:
    async def send() -> None:
        async with asking(api) as client:
            items: list[Any] = [
                *complaints(2),
                {"id": "x", "occurred_at": AT, "reporter": {"id": "r"}, "target": {}},
                {"id": "\ud800"},
                {},
                {"id": "y", "surprise": 1},
                complaints(3)[2],
            ]
            receipt = await client.complain_many(items)
            assert (receipt.accepted, receipt.rejected_count) == (3, 4)
            assert [r.index for r in receipt.rejected] == [2, 3, 4, 5]
            assert receipt.rejected[0].pointer == "/target/id"
            nothing = await client.complain_many([{"id": "x"}])
            assert (nothing.accepted, nothing.rejected_count, nothing.rejected[0].index) == (0, 1, 0)
            with pytest.raises(Refused) as caught:
                await client.complain({"id": "x"})
            assert caught.value.status == 422

    api.redis.run(send())


def test_a_target_never_seen_has_zeros_and_may_be_asked_for_by_any_id(api: Api) -> None:
    async def ask() -> None:
        async with asking(api) as client:
            for target_id in (".", "..", "a/brief", "assess", "%2F", "a b+c?x=1#y", "😀", "é", "x" * 128):
                found = await client.assess(target_id)
                assert (found.target_id, found.complaints, found.independent_complaints, found.recommendation) == (
                    target_id,
                    0,
                    0.0,
                    "none",
                )
            many = await client.assess_many(["b", "a", "b"], 3)
            assert [a.target_id for a in many] == ["b", "a", "b"]
            advice = await client.may_remove("t", 8)
            assert advice.reached and advice.remove

    api.redis.run(ask())


def test_a_brief_is_given_for_any_target(api: Api) -> None:
    async def ask() -> None:
        async with asking(api) as client:
            for target_id in ("t", "a/brief", ".."):
                brief = await client.brief(target_id, 3)
                assert (brief["target_id"], brief["complaints"]["standing"]) == (target_id, 0)

    api.redis.run(ask())


def test_an_answer_says_whether_it_contains_a_position(api: Api) -> None:
    """Nothing is analysed here: there are no workers."""

    async def ask() -> None:
        async with asking(api) as client:
            position = (await client.complain_many(complaints(8))).position
            assert position == 8
            found = await client.assess("comment/5", 8, after=position, wait=0.01)
            assert (found.complaints, found.unseen, found.recommendation, found.pending) == (0, 8, "wait", True)
            assert found.retry_after_ms
            (same,) = await client.assess_many(["comment/5"], 8, after=position)
            assert (same.recommendation, same.unseen) == ("wait", 8)
            assert (await client.assess("comment/5", 8)).recommendation == "hold", "it did not say that it knows `wait`"
            assert not (await client.assess("comment/6", 8, after=0)).pending
            with pytest.raises(Refused, match="beyond the last position, 8") as caught:
                await client.may_remove("comment/5", 8, after=9)
            assert caught.value.status == 422

    api.redis.run(ask())


def test_what_the_platform_counted_and_did_not_post_makes_it_wait(api: Api) -> None:
    async def ask() -> None:
        async with asking(api) as client:
            for counted, reached in ((7, True), (8, False)):
                advice = await client.may_remove("t", 8, counted=counted, patience=0.1)
                assert (advice.reached, advice.remove) == (reached, reached)

    api.redis.run(ask())


def test_a_report_is_answered_with_assessments_of_its_targets(api: Api) -> None:
    async def ask() -> None:
        async with asking(api) as client:
            items = [*complaints(2, "t"), {"id": "x"}, *complaints(1, "u"), *complaints(1, "t")]
            reported = await client.report_and_ask(items, 8, wait=0, patience=0)
            receipt = reported.receipt
            assert receipt is not None and receipt.assessments is not None
            assert (receipt.accepted, receipt.rejected_count, receipt.position) == (4, 1, 4)
            assert [(one.target_id, one.unseen) for one in receipt.assessments] == [("t", 3), ("u", 1)]
            assert [(one.target_id, one.below) for one in reported.advice.values()] == [("t", True), ("u", True)]
            assert reported.removable == ()
            reported = await client.report_and_ask(complaints(8, "v"), 8, wait=0, patience=0)
            advice = reported.advice["v"]
            assert (advice.reached, advice.below, advice.recommendation) == (False, False, "hold")
            with pytest.raises(Refused, match="required"):
                await client.report_and_ask({"id": "x"}, 8)
        async with asking(api, "ingest") as client:
            with pytest.raises(Refused, match="lacks the scope 'read'"):
                await client.report_and_ask(complaints(1)[0], 8)

    api.redis.run(ask())


def test_a_wrong_key_and_a_missing_scope_are_said_so(api: Api) -> None:
    async def ask() -> None:
        async with asking(api, "ingest") as client:
            with pytest.raises(Refused, match="lacks the scope 'read'") as caught:
                await client.may_remove("t", 8)
            assert caught.value.status == 403
        async with AsyncClient(
            "http://testserver", "wrong", when_unreachable="open", timeout=10, transport=httpx.ASGITransport(api.line)
        ) as client:
            for call in (
                client.may_remove("t", 8),
                client.assess("t"),
                client.complain(complaints(1)[0]),
                client.withdraw("c"),
            ):
                with pytest.raises(Refused) as caught:
                    await call
                assert caught.value.status == 401

    api.redis.run(ask())


def test_a_store_that_does_not_answer_is_an_outage(api: Api) -> None:
    async def ask() -> None:
        for when_unreachable, remove in (("open", True), ("closed", False)):
            async with asking(api, when_unreachable=when_unreachable) as client:
                assert (await client.may_remove("t", 8)).reached
                server = api.redis.blocking.connection_pool.connection_kwargs["server"]
                server.connected = False
                try:
                    advice = await client.may_remove("t", 8)
                    assert (advice.reached, advice.remove) == (False, remove)
                    with pytest.raises(Unreachable) as caught:
                        await client.complain(complaints(1)[0])
                    assert (caught.value.status, caught.value.retry_after, caught.value.done) == (503, 2.0, 0)
                finally:
                    server.connected = True

    api.redis.run(ask())


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    started = Up(str(folder / "data"), folder / "up.log")
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGCONT)
        started.process.terminate()
        started.process.wait(30)


def test_a_known_brigade_that_races_the_question_removes_nothing(up: Up) -> None:
    """Fourteen members complain about a comment that nobody has seen before, all at once, each asking with its report:
    with the platform's own count, as `may_remove` with the position of its receipt, and as the service counts.
    """
    key, town = make_key(up.data, tenant="race"), draw_town(7, members=14)
    members = sorted(town.brigades[0])
    hit = Counter(row.target for row in town.rows if row.reporter in town.brigades[0]).most_common(1)[0][0]
    latest = max(datetime.fromisoformat(document(row)["occurred_at"]) for row in town.rows)
    with Client(up.api, key, when_unreachable="closed", timeout=2.0) as client:
        history = client.complain_many([document(row) for row in town.rows])
        up.wait(lambda: not client.assess(f"t{hit}", 8, after=history.position, wait=1).pending, seconds=60)
        assert client.assess(f"t{hit}", 8).recommendation == "hold"

        counted: Counter[str] = Counter()
        counting, started = threading.Lock(), threading.Barrier(len(members))

        def complain(member: int, target: str, way: str) -> Advice | None:
            complaint = Complaint(f"{target}-{member}", latest + timedelta(hours=1), f"r{member}", target)
            started.wait(10)
            with counting:
                counted[target] += 1
                count = counted[target]
            if way == "counted":
                return client.report_and_ask(complaint, 8, counted={target: count}, patience=10).advice[target]
            if way == "uncounted":
                return client.report_and_ask(complaint, 8, patience=10).advice[target]
            position = client.complain(complaint).position
            if count < 8:  # the platform asks once its own count has reached the threshold
                return None
            return client.may_remove(target, 8, after=position, counted=count, patience=10)

        with ThreadPoolExecutor(len(members)) as pool:
            for way in ("counted", "uncounted", "may_remove") * 3:
                target = f"race-{way}-{len(counted)}"
                answers = list(pool.map(partial(complain, target=target, way=way), members))
                asked = [advice for advice in answers if advice is not None]
                assert [advice for advice in asked if advice.remove] == []
                assert len(asked) == (7 if way == "may_remove" else 14)
                assert all(advice.reached for advice in asked), [advice.why for advice in asked]
                last = client.complain(Complaint(f"after-{target}", latest + timedelta(hours=1), "r-0", "elsewhere"))
                found = client.assess(target, 8, after=last.position, wait=5)
                assert (found.complaints, found.recommendation, found.pending) == (14, "hold", False)
                assert found.independent_complaints < 2


def test_a_brigade_is_held_by_the_running_service_and_the_client_survives_its_end(up: Up) -> None:
    key = make_key(up.data)
    town = draw_town(7)
    documents = [document(row) for row in town.rows]
    hit = Counter(row.target for row in town.rows if row.reporter in town.brigades[0]).most_common(1)[0][0]
    # what is tested is the end of the service: an answer of a busy machine may take longer than the default 300 ms
    with Client(up.api, key, when_unreachable="closed", timeout=3) as client:
        up.wait(lambda: client.may_remove("t", 8).reached)
        receipt = client.complain_many(documents)
        assert (receipt.accepted, receipt.rejected_count) == (len(documents), 0)
        assert client.complain_many(documents[:50]).position == len(documents) + 50  # again: taken, and counted nowhere
        up.wait(lambda: not client.assess(f"t{hit}", 5, after=len(documents) + 50, wait=1).pending, seconds=60)
        advice = client.may_remove(f"t{hit}", 5)
        assert advice.assessment is not None
        assert advice.reached and not advice.remove
        assert advice.assessment.complaints == len({row.reporter for row in town.rows if row.target == hit})
        assert advice.assessment.independent_complaints < 5
        assert client.outcome(Outcome("o", f"t{hit}", datetime.now(UTC), "rejected", "kept")).accepted == 1

        # A service that is stopped in its tracks: its socket accepts, and nobody answers.
        api = up.child("service.cli", "api")
        api.suspend()
        try:
            advice = client.may_remove(f"t{hit}", 5)
            assert (advice.reached, advice.recommendation) == (False, "hold")
        finally:
            api.resume()
        up.wait(lambda: client.may_remove(f"t{hit}", 5).reached)

        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(30) == 0
        assert client.may_remove(f"t{hit}", 5).recommendation == "hold"
    with Client(up.api, key, when_unreachable="open", retry_for=0) as client:
        advice = client.may_remove(f"t{hit}", 5)
        assert (advice.reached, advice.remove) == (False, True)
        with pytest.raises(Unreachable):
            client.complain(complaints(1)[0])
