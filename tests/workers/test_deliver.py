"""Deliveries: signed, at least once, on schedule, each subscriber for itself.

Receivers are real servers; hours pass in simulated time.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from conftest import NOW_US, RedisClients
from delivery_desk import HOUR, SECOND, Desk
from loopback import Answer, Asked, Receiver, serving
from sqlalchemy import Engine, select, update
from standardwebhooks import Webhook

from service.errors import NotFound, Refused
from service.moderation.events import Event
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_queue import enqueue
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from service.storage.webhooks import deliveries as log
from service.storage.webhooks import subscriptions
from service.webhooks.schedule import PAUSES_SECONDS
from service.webhooks.signing import new_secret
from workers import deliver
from workers.deliver import PATIENCE_SECONDS, Courier


@pytest.fixture
def desk(settings: Settings, engine: Engine, fake_redis: RedisClients) -> Iterator[Desk]:
    made = Desk(settings, engine, fake_redis.blocking)
    yield made
    made.restart()


@pytest.fixture
def start() -> Iterator[Callable[..., Receiver]]:
    """Starts receivers that answer as told."""
    with ExitStack() as stack:
        yield lambda answer=lambda asked: Answer(), port=0: stack.enter_context(serving(Receiver(answer), port=port))


def flagged(number: int) -> Event:
    return Event("cluster.flagged", f"k{number}", {"cluster_id": f"k{number}", "reporter_count": number})


def ids(receiver: Receiver) -> list[str]:
    return [asked.headers["webhook-id"] for asked in receiver.asked]


def verify(asked: Asked, secret: str) -> bool:
    """As a receiver does it, apart from the age of the timestamp."""
    at = datetime.fromtimestamp(int(asked.headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(asked.headers["webhook-id"], at, asked.body.decode())
    return expected in asked.headers["webhook-signature"].split(" ")


def test_an_event_arrives_once_signed_with_its_id_and_the_time_of_the_attempt(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    receiver = start()
    subscription = desk.subscribe(receiver)
    [told] = desk.happens(Event("cluster.flagged", "k1", {"cluster_id": "k1", "summary": "ä 😀"}))
    desk.resources.at[0] += 3 * SECOND
    desk.work()
    desk.work()
    [asked] = receiver.asked
    assert (asked.method, asked.path, asked.headers["content-type"], asked.headers["webhook-id"]) == (
        "POST",
        "/hook",
        "application/json",
        told,
    )
    assert int(asked.headers["webhook-timestamp"]) == desk.now_us // SECOND
    assert json.loads(asked.body) == {
        "type": "cluster.flagged",
        "timestamp": "2026-11-18T11:06:40Z",
        "data": {"cluster_id": "k1", "summary": "ä 😀"},
    }
    assert verify(asked, desk.secrets[subscription])
    assert not verify(asked, new_secret())
    [line] = desk.deliveries(subscription)
    assert (line.state, line.event_id, line.next_us, line.finished_us) == ("delivered", told, None, desk.now_us)
    assert [(one.status, one.error, one.at_us) for one in line.attempts] == [(200, None, desk.now_us)]
    assert desk.due_us() is None
    assert desk.counted() == {"delivered": 1}


def test_a_subscriber_that_is_down_for_an_hour_gets_every_event_exactly_once_by_id_after_it_returns(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    with serving(Receiver()) as early:
        steady, port = start(), early.port
        away, other = desk.subscribe(early), desk.subscribe(steady)
    told = []
    for number in range(60):  # nobody listens on that port for an hour; something happens each minute
        told += desk.happens(flagged(number))
        desk.until(NOW_US + number * 60 * SECOND)
    desk.until(NOW_US + HOUR)
    assert early.asked == []
    assert sorted(ids(steady)) == sorted(told), "the other subscriber did not wait for it"
    back = start(port=port)
    desk.until(NOW_US + 4 * HOUR)
    assert Counter(ids(back)) == Counter(told)
    assert all(verify(asked, desk.secrets[away]) for asked in back.asked)
    assert {line.state for line in desk.deliveries(away)} == {"delivered"}
    assert desk.subscription(away).disabled_us is None
    assert desk.due_us() is None
    tried = sum(len(line.attempts) for line in desk.deliveries(away)) - len(told)
    assert tried <= 16, "while it does not answer, it is asked every five minutes and not once for each event"
    assert {line.state for line in desk.deliveries(other)} == {"delivered"}


def test_the_schedule_is_kept_and_ends_with_the_subscription_disabled_which_is_said(
    desk: Desk, start: Callable[..., Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    receiver = start(lambda asked: Answer(500))
    subscription = desk.subscribe(receiver)
    [told] = desk.happens(flagged(1))
    desk.until(NOW_US + 60 * HOUR)
    later = desk.happens(flagged(2))
    desk.until(NOW_US + 200 * HOUR)
    times = [int(asked.headers["webhook-timestamp"]) for asked in receiver.asked if asked.headers["webhook-id"] == told]
    assert len(times) == 10
    for pause, planned in zip((b - a for a, b in pairwise(times)), PAUSES_SECONDS, strict=True):
        assert planned * 0.9 - 2 <= pause <= planned * 1.1 + 2
    assert all(verify(asked, desk.secrets[subscription]) for asked in receiver.asked)
    found = desk.subscription(subscription)
    assert found.disabled_us is not None
    assert (
        "10 attempts" in str(found.disabled_because)
        and "status 500" in str(found.disabled_because)
        and told in str(found.disabled_because)
    )
    states = {line.event_id: (line.state, line.next_us) for line in desk.deliveries(subscription)}
    assert states == {told: ("failed", None), later[0]: ("pending", None)}
    assert ("delivery", "subscription.disabled") in desk.audit()
    assert f"subscription {subscription} was disabled" in caplog.text
    assert desk.counted()["disabled"] == 1
    assert desk.due_us() is None
    desk.happens(flagged(3))
    assert len(desk.deliveries(subscription)) == 2, "nothing new is kept for it"


def test_enabled_again_it_gets_what_was_held(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start(lambda asked: Answer(500))
    subscription = desk.subscribe(receiver)
    desk.happens(flagged(1))
    desk.until(NOW_US + 60 * HOUR)
    [held] = desk.happens(flagged(2))
    desk.until(NOW_US + 200 * HOUR)
    receiver.answer, before = (lambda asked: Answer()), len(receiver.asked)
    with write(desk.engine) as connection:
        subscriptions.enable(connection, desk.tenant, subscription, by="ann", now_us=desk.now_us)
    desk.until(desk.now_us + HOUR)
    assert ids(receiver)[before:] == [held]
    assert desk.subscription(subscription).disabled_us is None


def test_one_event_that_a_subscriber_chokes_on_does_not_cost_it_the_others(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    receiver = start(lambda asked: Answer(500 if b'"k0"' in asked.body else 200))
    subscription = desk.subscribe(receiver)
    [poison] = desk.happens(flagged(0))
    for day in range(1, 9):
        desk.until(NOW_US + day * 12 * HOUR)
        desk.happens(flagged(day))
    desk.until(NOW_US + 200 * HOUR)
    states = {line.event_id: line.state for line in desk.deliveries(subscription)}
    assert states.pop(poison) == "failed"
    assert set(states.values()) == {"delivered"}
    assert len(states) == 8
    assert desk.subscription(subscription).disabled_us is None
    assert desk.counted()["given_up"] == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("90", 90), ("7200", 7200), ("999999999", 86_400), ("Wed, 18 Nov 2026 12:06:40 GMT", 3600), ("soon", 5)],
)
def test_retry_after_is_honoured_for_everything_that_waits(
    desk: Desk, start: Callable[..., Receiver], header: str, seconds: int
) -> None:
    receiver = start(lambda asked: Answer(429, {"Retry-After": header}))
    subscription = desk.subscribe(receiver)
    told = desk.happens(flagged(1), flagged(2))
    desk.work()
    asked_first = len(receiver.asked)
    assert asked_first == (1 if header != "soon" else 2), "nothing else goes to whoever asks to be left alone"
    receiver.answer = lambda asked: Answer()
    desk.until(NOW_US + int(seconds * 0.89) * SECOND)
    assert len(receiver.asked) == asked_first
    desk.until(NOW_US + int(seconds * 1.11 + 1) * SECOND)  # (the two go in the order in which they are due)
    assert sorted(ids(receiver)[asked_first:]) == sorted(told)
    assert {line.state for line in desk.deliveries(subscription)} == {"delivered"}


def test_410_disables_at_once_and_gives_up_what_waits(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start(lambda asked: Answer(410))
    subscription = desk.subscribe(receiver)
    desk.happens(*(flagged(n) for n in range(5)))
    desk.until(NOW_US + HOUR)
    assert len(receiver.asked) == 1
    assert "410" in str(desk.subscription(subscription).disabled_because)
    assert sorted(line.state for line in desk.deliveries(subscription)) == ["cancelled"] * 4 + ["failed"]
    assert desk.due_us() is None


def test_every_2xx_is_success(desk: Desk, start: Callable[..., Receiver]) -> None:
    statuses = iter((200, 201, 202, 204, 299))
    receiver = start(lambda asked: Answer(next(statuses)))
    subscription = desk.subscribe(receiver)
    desk.happens(*(flagged(n) for n in range(5)))
    desk.until(NOW_US + HOUR)
    assert {line.state for line in desk.deliveries(subscription)} == {"delivered"}
    assert len(receiver.asked) == 5


def test_nothing_else_is_and_a_redirect_is_not_followed(desk: Desk, start: Callable[..., Receiver]) -> None:
    elsewhere, statuses = start(), [300, 301, 302, 303, 307, 308, 400, 401, 404, 409, 429, 500, 503]
    still = iter(statuses)
    receiver = start(lambda asked: Answer(next(still), {"Location": elsewhere.url}))
    subscription = desk.subscribe(receiver)
    desk._openings.append(elsewhere.opening)
    desk.restart()
    desk.happens(*(flagged(n) for n in range(len(statuses))))
    desk.work()
    assert elsewhere.asked == []
    lines = desk.deliveries(subscription)[::-1]
    assert [(line.state, line.attempts[0].status) for line in lines] == [("pending", status) for status in statuses]
    assert all(line.next_us is not None and abs(line.next_us - NOW_US - 5 * SECOND) <= SECOND for line in lines)


def test_an_answer_of_any_size_is_success_and_is_not_read(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start(lambda asked: Answer(200, body=b"x" * 2_000_000))
    subscription = desk.subscribe(receiver)
    desk.happens(flagged(1))
    desk.work()
    assert [line.state for line in desk.deliveries(subscription)] == ["delivered"]


def test_an_address_inside_is_not_asked_and_the_log_does_not_say_which_it_was(
    desk: Desk, start: Callable[..., Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    receiver = start()
    subscription = desk.subscribe(receiver)
    desk._openings.clear()
    desk.restart()
    desk.happens(flagged(1))
    desk.work()
    assert receiver.asked == []
    [line] = desk.deliveries(subscription)
    assert line.state == "pending"
    assert line.attempts[0].status is None
    assert "not public" in str(line.attempts[0].error)
    assert "127.0.0.1" not in str(line.attempts[0].error)
    assert "127.0.0.1" in caplog.text, "the operator's log has it"


def test_a_slow_subscriber_holds_up_neither_others_nor_the_job(
    desk: Desk, start: Callable[..., Receiver], settings: Settings, engine: Engine
) -> None:
    over = threading.Event()
    slow = start(lambda asked: Answer() if over.wait(20) else Answer(500))
    quick = start()
    waits, goes = desk.subscribe(slow), desk.subscribe(quick)
    told = desk.happens(*(flagged(n) for n in range(40)))
    for _ in range(10):  # a turn is short: on a busy machine forty may take some
        began = time.monotonic()
        desk.courier.run("paper")
        assert time.monotonic() - began < 10
        if len(ids(quick)) == len(told):
            break
    assert ids(quick) == told, "in their order"
    assert {line.state for line in desk.deliveries(goes)} == {"delivered"}
    due = desk.due_us()
    assert due is not None and desk.now_us < due <= desk.now_us + SECOND, (
        "what still waits for the thread is not asked for at once"
    )
    later = desk.happens(flagged(99))
    desk.courier.run("paper")
    assert ids(quick)[-1:] == later
    over.set()
    desk.courier.settle()
    desk.until(desk.now_us + 60 * SECOND)
    assert Counter(ids(slow)) == Counter(told + later)
    assert {line.state for line in desk.deliveries(waits)} == {"delivered"}


def test_where_another_tenant_s_job_waits_a_slow_subscriber_s_job_ends_sooner(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    over = threading.Event()
    slow = start(lambda asked: Answer() if over.wait(20) else Answer(500))
    desk.subscribe(slow)
    desk.happens(flagged(1))
    enqueue(desk.resources.redis, "deliver", "other")
    began = time.monotonic()
    desk.courier.run("paper")
    took = time.monotonic() - began
    over.set()
    desk.courier.settle()
    assert took < PATIENCE_SECONDS
    assert len(slow.asked) == 1


def test_while_the_secret_is_rotated_both_verify_and_a_day_later_the_new_one_alone(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    receiver = start()
    subscription = desk.subscribe(receiver)
    old, new = desk.secrets[subscription], new_secret()
    with write(desk.engine) as connection:
        subscriptions.rotate_secret(
            connection, desk.tenant, subscription, desk.box.seal(new), by="ann", now_us=desk.now_us
        )
    desk.happens(flagged(1))
    desk.work()
    desk.resources.at[0] += 24 * HOUR
    desk.happens(flagged(2))
    desk.work()
    during, after = receiver.asked
    assert (verify(during, old), verify(during, new), verify(after, old), verify(after, new)) == (
        True,
        True,
        False,
        True,
    )


def test_a_worker_that_dies_between_sending_and_storing_sends_again_with_the_same_id(
    desk: Desk, start: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = start()
    subscription = desk.subscribe(receiver)
    [told] = desk.happens(flagged(1))

    def dies(*_: object) -> tuple[str, bool]:
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(Courier, "_store", dies)
        desk.work()
    assert ids(receiver) == [told]
    desk.restart()
    desk.work()
    assert ids(receiver) == [told], "claimed: another worker could still be at it"
    desk.until(NOW_US + 61 * SECOND)
    assert ids(receiver) == [told, told]
    assert receiver.asked[0].body == receiver.asked[1].body
    assert [line.state for line in desk.deliveries(subscription)] == ["delivered"]


def test_two_workers_at_once_send_each_event_once(
    desk: Desk, start: Callable[..., Receiver], fake_redis: RedisClients
) -> None:
    receivers = [start() for _ in range(4)]
    for receiver in receivers:
        desk.subscribe(receiver)
    told = desk.happens(*(flagged(n) for n in range(15)))
    second = Courier(desk.courier.resources)
    try:
        fake_redis.blocking.flushall()

        def without_a_lease(courier: Courier) -> None:
            for _ in range(3):
                courier._start_due("paper", desk.tenant)
                courier.settle()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(without_a_lease, (desk.courier, second)))
    finally:
        second.close()
    for receiver in receivers:
        assert Counter(ids(receiver)) == Counter(told)


def test_one_job_a_tenant(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start()
    desk.subscribe(receiver)
    desk.happens(flagged(1))
    desk.resources.redis.set(redis_keys.lease("deliver", "paper"), "another")
    desk.work()
    assert receiver.asked == []
    assert desk.due_us() == NOW_US, "asked for again, until whoever has it is done"


def test_what_waits_for_a_deleted_subscription_is_cancelled(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start(lambda asked: Answer(500))
    subscription = desk.subscribe(receiver)
    desk.happens(flagged(1))
    desk.work()
    with write(desk.engine) as connection:
        subscriptions.remove(connection, desk.tenant, subscription, by="ann", now_us=desk.now_us)
    desk.until(NOW_US + 100 * HOUR)
    assert len(receiver.asked) == 1
    with desk.engine.connect() as connection:
        assert connection.scalars(select(schema.deliveries.c.state)).all() == ["cancelled"]


def test_a_subscription_deleted_under_way_stays_deleted(desk: Desk, start: Callable[..., Receiver]) -> None:
    sent, over = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Answer:
        sent.set()
        over.wait(20)
        return Answer(503)

    subscription = desk.subscribe(start(answer))
    desk.happens(flagged(1))
    thread = threading.Thread(target=desk.work)
    thread.start()
    assert sent.wait(20)
    with write(desk.engine) as connection:
        subscriptions.remove(connection, desk.tenant, subscription, by="ann", now_us=desk.now_us)
    over.set()
    thread.join()
    desk.until(NOW_US + 100 * HOUR)
    with desk.engine.connect() as connection:
        [row] = connection.execute(select(schema.deliveries)).all()
    assert (row.state, row.next_us) == ("cancelled", None)


def test_a_replay_sends_what_was_delivered_or_given_up_once_more(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start()
    subscription = desk.subscribe(receiver)
    [told] = desk.happens(flagged(1))
    desk.work()
    [line] = desk.deliveries(subscription)
    with write(desk.engine) as connection:
        shown = log.replay(connection, desk.tenant, subscription, line.id, now_us=desk.now_us)
    assert (shown.state, shown.next_us, len(shown.attempts)) == ("pending", desk.now_us, 1)
    desk.until(desk.now_us + SECOND)
    assert ids(receiver) == [told, told]
    [line] = desk.deliveries(subscription)
    assert (line.state, len(line.attempts)) == ("delivered", 2)


def test_a_ping_goes_to_the_one_that_asked_whatever_it_subscribes_to_and_each_is_another(
    desk: Desk, start: Callable[..., Receiver]
) -> None:
    receiver, bystander = start(), start()
    subscription = desk.subscribe(receiver, "cluster.decided")
    desk.subscribe(bystander)
    for _ in range(2):
        with write(desk.engine) as connection:
            log.ping(connection, desk.tenant, subscription, now_us=desk.now_us)
        desk.until(desk.now_us + SECOND)
    assert [json.loads(asked.body)["type"] for asked in receiver.asked] == ["ping", "ping"] and len(
        set(ids(receiver))
    ) == 2
    assert json.loads(receiver.asked[0].body)["data"] == {"subscription_id": subscription}
    assert all(verify(asked, desk.secrets[subscription]) for asked in receiver.asked)
    assert bystander.asked == []
    assert [line.state for line in desk.deliveries(subscription)] == ["delivered", "delivered"]


def test_a_ping_of_a_disabled_or_unknown_subscription_is_refused(desk: Desk, start: Callable[..., Receiver]) -> None:
    subscription = desk.subscribe(start())
    with write(desk.engine) as connection:
        subscriptions.disable(connection, desk.tenant, subscription, "paused", by="test", now_us=desk.now_us)
        with pytest.raises(Refused, match="enable it first"):
            log.ping(connection, desk.tenant, subscription, now_us=desk.now_us)
        with pytest.raises(NotFound):
            log.ping(connection, desk.tenant, "sub_none", now_us=desk.now_us)


def test_a_secret_sealed_with_a_lost_key_is_told_and_costs_no_attempt(
    desk: Desk, start: Callable[..., Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    receiver = start()
    subscription = desk.subscribe(receiver)
    desk.happens(flagged(1))
    with write(desk.engine) as connection:
        good = connection.scalar(select(schema.subscriptions.c.secret))
        connection.execute(
            update(schema.subscriptions).values(
                secret=SecretBox(replace(desk.resources.settings, secret_keys=("77" * 32,))).seal("whsec_AAAA")
            )
        )
    desk.work()
    assert receiver.asked == []
    assert "BRIGADEWATCH_SECRET_KEY" in caplog.text or "secret.key" in caplog.text
    with write(desk.engine) as connection:
        connection.execute(update(schema.subscriptions).values(secret=good))
    desk.until(NOW_US + 61 * SECOND)
    assert [(line.state, len(line.attempts)) for line in desk.deliveries(subscription)] == [("delivered", 1)]


def test_tenants_keep_to_their_own(
    desk: Desk, start: Callable[..., Receiver], settings: Settings, engine: Engine, fake_redis: RedisClients
) -> None:
    receiver = start()
    desk.subscribe(receiver)
    other = Desk(settings, engine, fake_redis.blocking, "other")
    try:
        other.happens(flagged(1))
        other.subscribe(receiver)
        desk.work()
        other.work()
        assert receiver.asked == []
        [theirs] = other.happens(flagged(2))
        desk.work()
        assert receiver.asked == []
        other.work()
        assert ids(receiver) == [theirs]
    finally:
        other.restart()


def test_the_job_of_the_table_uses_the_threads_of_its_process(desk: Desk, start: Callable[..., Receiver]) -> None:
    receiver = start()
    desk.subscribe(receiver)
    desk.happens(flagged(1))
    resources = desk.courier.resources
    deliver.run("paper", resources)
    assert deliver.courier_of(resources) is deliver.courier_of(resources)
    deliver.courier_of(resources).settle()
    assert len(receiver.asked) == 1
    with desk.engine.connect() as connection:
        assert timers.due(connection, 10**18) == []
    deliver.courier_of(resources).close()
    deliver._courier = None
