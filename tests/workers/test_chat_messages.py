"""Messages to chat rooms: one for all that is due, once a case and day, never in quiet hours, as the cases are now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import NOW_US, RedisClients
from delivery_desk import HOUR, SECOND, Desk
from loopback import Answer, Receiver, serving
from sqlalchemy import Engine
from stored_cases import store_case

from service.model import moment
from service.moderation.events import Event
from service.notifications.chat_formats import ChatAddress, chat_address
from service.notifications.digest import FLAGGED, GROWN, HOLD
from service.notifications.quiet_hours import QuietHours
from service.settings import Settings
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.webhooks import deliveries as log
from service.storage.webhooks import subscriptions
from workers import chat_messages, deliver

DAY = 24 * HOUR


@pytest.fixture
def desk(settings: Settings, engine: Engine, fake_redis: RedisClients) -> Iterator[Desk]:
    made = Desk(settings, engine, fake_redis.blocking)
    yield made
    made.restart()


@pytest.fixture
def start() -> Iterator[Callable[..., Receiver]]:
    with ExitStack() as stack:
        yield lambda answer=lambda asked: Answer(): stack.enter_context(serving(Receiver(answer)))


def case(desk: Desk, identity: str, **changes: Any) -> None:
    store_case(desk.engine, desk.tenant, identity, **changes)


def flagged(identity: str, version: int = 1) -> Event:
    return Event(FLAGGED, f"{identity}/{version}", {"cluster_id": identity})


def grown(identity: str, step: int) -> Event:
    return Event(GROWN, f"{identity}/{step}", {"cluster_id": identity})


def hold(target: str, identity: str) -> Event:
    return Event(HOLD, f"{target}/{identity}", {"target_id": target, "clusters": [{"id": identity}]})


def sent(receiver: Receiver) -> list[str]:
    """The messages, as text."""
    return [json.loads(asked.body)["text"] for asked in receiver.asked]


def states(desk: Desk, subscription: str) -> list[str]:
    return sorted(one.state for one in desk.deliveries(subscription))


def test_a_flag_and_its_holds_are_one_message(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start()
    subscription = desk.subscribe_chat(receiver)
    case(desk, "k-1")
    case(desk, "k-2", reporter_count=30)
    desk.happens(flagged("k-1"), hold("c-1", "k-1"), hold("c-2", "k-1"), flagged("k-2"), grown("k-1", 2))
    desk.work()
    [asked] = receiver.asked
    body = json.loads(asked.body)
    assert asked.path == "/services/T/B/secret" and "webhook-signature" not in asked.headers
    assert body["text"] == "2 new cases in paper"
    assert [block["text"]["text"] for block in body["blocks"]] == [
        "2 new cases in paper",
        "30 accounts, 20 targets: 14 accounts complained about the same 20 targets.",
        "14 accounts, 20 targets: 14 accounts complained about the same 20 targets. On hold: c-1, c-2.",
    ]
    assert states(desk, subscription) == ["delivered"] * 4  # growth was not chosen
    desk.work()
    assert len(receiver.asked) == 1


def test_a_case_that_grows_does_not_ping_again_on_the_same_day(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start()
    subscription = desk.subscribe_chat(receiver, FLAGGED, GROWN, HOLD)
    case(desk, "k-1")
    desk.happens(flagged("k-1"))
    desk.work()
    for step in range(2, 5):
        desk.resources.at[0] += 60 * SECOND
        desk.happens(grown("k-1", step), hold(f"c-{step}", "k-1"))
        desk.work()
    assert len(receiver.asked) == 1
    assert states(desk, subscription) == ["cancelled"] * 6 + ["delivered"]
    [error, *_] = {a.error for one in desk.deliveries(subscription) if one.state == "cancelled" for a in one.attempts}
    assert error == "not sent: the case was reported earlier on the same day"
    desk.resources.at[0] += DAY
    desk.happens(grown("k-1", 9))
    desk.work()
    assert sent(receiver) == ["1 new case in paper", "1 grown case in paper"]


def test_quiet_hours_hold_back_and_end_with_one_message_about_what_is_still_so(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    receiver = start()
    hour = moment(NOW_US).hour  # the night begins now, in UTC, and lasts for eight hours
    night = QuietHours(hour * 60, (hour + 8) % 24 * 60)
    subscription = desk.subscribe_chat(receiver, quiet_hours=night)
    for identity in ("k-1", "k-2", "k-3", "k-4"):
        case(desk, identity)
        desk.happens(flagged(identity))
        desk.work()
        desk.resources.at[0] += 60 * SECOND
    assert receiver.asked == []
    due = desk.due_us()
    assert due is not None and due <= desk.now_us + deliver.LOOK_AGAIN_SECONDS * SECOND  # and not again and again
    case(desk, "k-1", status="decided")
    case(desk, "k-2", disposition="revoked")
    case(desk, "k-3", disposition="merged", merged_into="k-4")
    desk.until(NOW_US + 9 * HOUR)
    assert sent(receiver) == ["1 new case in paper"]
    assert states(desk, subscription) == ["cancelled"] * 2 + ["delivered"] * 2
    minute = moment(desk.deliveries(subscription)[0].finished_us or 0)
    assert (minute.hour, minute.minute) == ((hour + 8) % 24, 0)


def test_a_test_message_goes_in_quiet_hours_too_and_other_hours_apply_at_once(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    receiver = start()
    hour = moment(NOW_US).hour
    subscription = desk.subscribe_chat(receiver, quiet_hours=QuietHours(hour * 60, (hour + 8) % 24 * 60))
    case(desk, "k-1")
    desk.happens(flagged("k-1"))
    desk.work()
    with write(desk.engine) as connection:
        log.ping(connection, desk.tenant, subscription, now_us=desk.now_us)
    desk.work()
    assert sent(receiver) == ["Test message from brigadewatch for paper"]
    with write(desk.engine) as connection:
        subscriptions.change(
            connection, desk.tenant, subscription, {"quiet_hours": None}, by="test", now_us=desk.now_us
        )
    desk.work()
    assert sent(receiver)[1:] == ["1 new case in paper"]


def test_a_receiver_that_wants_a_pause_gets_it_and_then_the_whole_message(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    answers = [Answer(429, {"Retry-After": "61.5"}), Answer(500), Answer(204)]
    receiver = start(lambda asked: answers.pop(0))
    subscription = desk.subscribe_chat(receiver, format="discord")
    case(desk, "k-1")
    case(desk, "k-2")
    desk.happens(flagged("k-1"), flagged("k-2"))
    desk.work()
    desk.resources.at[0] += 61 * SECOND
    desk.work()
    assert len(receiver.asked) == 1
    desk.until(NOW_US + HOUR)
    assert [json.loads(one.body)["content"].count("\n") for one in receiver.asked] == [2, 2, 2]
    assert states(desk, subscription) == ["delivered"] * 2


def test_matrix_gets_the_same_transaction_again_after_a_failure(desk: Desk, start: Callable[..., Receiver]) -> None:
    answers = [Answer(502), Answer(200)]
    receiver = start(lambda asked: answers.pop(0))
    address, _ = chat_address("matrix", f"{receiver.url}/!room:example.org", "syt_token")
    desk.subscribe_chat(receiver, format="matrix", address=address)
    case(desk, "k-1")
    desk.happens(flagged("k-1"))
    desk.until(NOW_US + HOUR)
    first, second = receiver.asked
    assert first.path == second.path
    assert first.path.startswith("/_matrix/client/v3/rooms/%21room%3Aexample.org/send/m.room.message/brigadewatch-")
    assert (first.method, first.headers["authorization"]) == ("PUT", "Bearer syt_token")


def test_an_address_inside_is_refused_as_for_every_webhook(desk: Desk) -> None:
    receiver = Receiver()
    receiver.port = 9
    subscription = desk.subscribe_chat(receiver, address=ChatAddress("http://169.254.169.254/a/b/c"))
    case(desk, "k-1")
    desk.happens(flagged("k-1"))
    desk.work()
    [line] = desk.deliveries(subscription)
    assert line.state == "pending" and "not public" in (line.attempts[0].error or "")


def test_a_delivery_whose_event_was_deleted_is_not_looked_at_for_ever(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    subscription = desk.subscribe_chat(start())
    case(desk, "k-1")
    desk.happens(flagged("k-1"))
    with write(desk.engine) as connection:
        connection.execute(sa.delete(schema.events))
    desk.work()
    assert desk.due_us() is None
    with desk.engine.connect() as connection:
        rows = connection.execute(sa.select(schema.deliveries.c.state)).scalars().all()
    assert rows == ["cancelled"] and subscription


def test_a_killed_worker_sends_the_same_message_again(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start()
    desk.subscribe_chat(receiver)
    case(desk, "k-1")
    desk.happens(flagged("k-1"))
    with write(desk.engine) as connection:
        taken = chat_messages.claim(
            connection,
            desk.resources.settings,
            "paper",
            desk.tenant,
            desk_subscription(desk),
            now_us=desk.now_us,
            until_us=desk.now_us + deliver.CLAIM_US,
        )
    assert taken is not None and taken.case_ids == ["k-1"]
    desk.work()
    assert receiver.asked == []  # claimed by the one that died
    desk.until(NOW_US + 2 * deliver.CLAIM_US)
    assert sent(receiver) == ["1 new case in paper"]


def desk_subscription(desk: Desk) -> str:
    with desk.engine.connect() as connection:
        found: str = connection.scalar(sa.select(schema.subscriptions.c.id)) or ""
        return found
