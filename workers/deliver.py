"""The deliver job: send a tenant's waiting events to its subscribers.

One job a tenant (a lease), and beside it a few threads, one subscriber each: a slow one holds up neither the others nor
other tenants, since the job ends while its thread still waits for an answer. A delivery is claimed in SQL for a minute
before it is sent. A worker that is killed in between leaves it to be sent again, with the same webhook-id, and two
workers never send the same one at the same time.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from service.errors import BrigadewatchError
from service.notifications.chat_formats import ChatAddress, chat_request
from service.ops import worker_metrics
from service.outbound.client import outbound_client
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import tenant_id
from service.storage.redis_store.job_kinds import LOOK_AGAIN_SECONDS, SLACK_SECONDS
from service.storage.redis_store.job_queue import others_wait
from service.storage.redis_store.leases import held
from service.storage.sql import timers
from service.storage.sql.engine import write
from service.storage.sql.outbox_rows import WORK
from service.storage.webhooks import chat_deliveries, deliveries, subscriptions
from service.storage.webhooks.outbox import DELIVERED, FAILED
from service.storage.webhooks.reported_cases import remember
from service.webhooks.attempt import GONE, TIMEOUT_SECONDS, Result, WebhookMessage, attempt, post
from service.webhooks.schedule import ATTEMPTS, JITTER, PAUSES_SECONDS, next_attempt_us, rest_until_us
from workers import chat_messages
from workers.resources import Resources

log = logging.getLogger(__name__)

THREADS = 16  # subscribers at a time
DELIVERIES_A_TURN = 20  # to one subscriber, before others may have the thread ...
TURN_SECONDS = 10.0  # ... or so long, and the attempt under way
JOB_SECONDS, SHORT_JOB_SECONDS = 20.0, 2.0  # the short ones where another job waits, most likely another tenant's
PATIENCE_SECONDS, SHORT_PATIENCE_SECONDS = 1.0, 0.2  # the job ends when nothing came to an end for so long
CLAIM_US = 60_000_000  # three times the time-out
SECOND_US = 1_000_000
LAST_PAUSE_US = int(PAUSES_SECONDS[-1] * (1 + JITTER)) * SECOND_US + CLAIM_US
# no delivery is planned further ahead: one that never failed, and others
LONGEST_FIRST_US = CLAIM_US + SLACK_SECONDS * SECOND_US
LONGEST_PAUSE_US = LAST_PAUSE_US + SLACK_SECONDS * SECOND_US
MAX_ANSWER_BYTES = 65_536
ACTOR = "delivery"  # in the audit trail

_courier: Courier | None = None
_making = threading.Lock()


def run(tenant: str, resources: Resources) -> None:
    """Send what is due to the tenant's subscribers; what is still under way at the end is finished beside the next
    jobs.
    """
    courier_of(resources).run(tenant)


def courier_of(resources: Resources) -> Courier:
    """This process's threads, made when they are first needed."""
    global _courier
    with _making:
        if _courier is None or _courier.resources is not resources:
            if _courier is not None:
                _courier.close()
            _courier = Courier(resources)
        return _courier


class Courier:
    """The delivering threads and their current work."""

    def __init__(self, resources: Resources, *, threads: int = THREADS) -> None:
        self.resources = resources
        self._client = outbound_client(resources.settings, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MAX_ANSWER_BYTES)
        self._box = SecretBox(resources.settings)
        self._threads, self._size = ThreadPoolExecutor(threads, thread_name_prefix=WORK), threads
        self._busy: dict[str, Future[None]] = {}  # by subscription

    def run(self, tenant: str) -> None:
        """One job. Nothing while another process has one for this tenant."""
        with held(self.resources.redis, WORK, tenant) as lease:
            if lease is None:
                return
            number = tenant_id(self.resources.engine, tenant)
            began, mine = time.monotonic(), set[Future[None]]()
            while not lease.lost:
                mine |= self._start_due(tenant, number)
                if not mine:
                    break
                hurry = others_wait(self.resources.redis, WORK)
                done, mine = wait(mine, SHORT_PATIENCE_SECONDS if hurry else PATIENCE_SECONDS, FIRST_COMPLETED)
                if not done or time.monotonic() - began > (SHORT_JOB_SECONDS if hurry else JOB_SECONDS):
                    break
            self._plan(tenant, number)

    def settle(self) -> None:
        """Wait for everything that is under way."""
        wait(list(self._busy.values()))

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        self._threads.shutdown()
        self._client.close()

    def _start_due(self, tenant: str, number: int) -> set[Future[None]]:
        self._busy = {name: future for name, future in self._busy.items() if not future.done()}
        free = self._size - len(self._busy)
        if free <= 0:
            return set()
        with self.resources.engine.connect() as connection:
            found = deliveries.due(
                connection,
                number,
                self.resources.now_us(),
                but=self._busy,
                per_subscription=DELIVERIES_A_TURN,
                subscriptions_at_most=free,
            )
            chats = chat_deliveries.chat_subscriptions(connection, number) if found else set()
        started = {
            name: self._threads.submit(self._deliver_messages, tenant, number, name)
            if name in chats
            else self._threads.submit(self._deliver, tenant, ids)
            for name, ids in found.items()
        }
        self._busy.update(started)
        return set(started.values())

    def _plan(self, tenant: str, number: int) -> None:
        """When the next job is due, as the log has it now: written together with that look, so that nothing slips
        between.
        """
        now_us = self.resources.now_us()
        busy = any(not future.done() for future in self._busy.values())
        with write(self.resources.engine) as connection:
            # holds the row: what a thread plans from here on comes after this
            timers.at_latest(connection, number, WORK, now_us + CLAIM_US)
            if deliveries.pull_back(connection, number, now_us, LONGEST_FIRST_US, LONGEST_PAUSE_US):
                log.warning("tenant %s: deliveries were planned by a wall clock that was ahead, and go now", tenant)
            next_us = deliveries.next_due_us(connection, number)
            if next_us is not None:
                next_us = min(next_us, now_us + LOOK_AGAIN_SECONDS * SECOND_US)
            if next_us is not None and busy:
                # what is due now waits for a thread: no use in asking at once
                next_us = max(next_us, now_us + SECOND_US)
            timers.move_to(connection, number, WORK, next_us)

    def _deliver(self, tenant: str, ids: list[str]) -> None:
        over = time.monotonic() + TURN_SECONDS
        for delivery in ids:
            goes_on = self._try(f"delivery {delivery} of {tenant}", partial(self._deliver_one, tenant, delivery))
            if not goes_on or time.monotonic() > over:
                return

    def _deliver_messages(self, tenant: str, number: int, subscription: str) -> None:
        """All that is due to a subscription of a chat format, as one message."""
        self._try(
            f"the message to subscription {subscription} of {tenant}",
            partial(self._deliver_message, tenant, number, subscription),
        )

    def _try(self, what: str, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except (SQLAlchemyError, BrigadewatchError) as error:  # claimed for a minute, then it is free again
            log.warning("%s was cut short, and will be sent again: %s: %s", what, type(error).__name__, error)
        except Exception:
            log.exception("%s failed unexpectedly and will be tried again", what)
        return False

    def _deliver_message(self, tenant: str, number: int, subscription: str) -> bool:
        """Whether something was sent."""
        now_us = self.resources.now_us()
        with write(self.resources.engine) as connection:
            message = chat_messages.claim(
                connection,
                self.resources.settings,
                tenant,
                number,
                subscription,
                now_us=now_us,
                until_us=now_us + CLAIM_US,
            )
        if message is None:
            return False
        address = ChatAddress.from_json(self._box.open(message.sealed_address))
        request = chat_request(message.format, address, message.digest, message.transaction)
        result = post(self._client, request, f"a message to subscription {subscription}", now_us)
        came_of_it, goes_on = self._store(message.claimed, result, now_us, reported=message.case_ids)
        with worker_metrics.WorkerMetrics(self.resources.redis, tenant) as metrics:
            metrics.count(worker_metrics.DELIVERY_ATTEMPTS, came_of_it)
        return goes_on

    def _deliver_one(self, tenant: str, delivery_id: str) -> bool:
        """Whether the subscriber's next delivery may follow at once."""
        now_us = self.resources.now_us()
        with write(self.resources.engine) as connection:
            claimed = deliveries.claim(connection, delivery_id, now_us=now_us, until_us=now_us + CLAIM_US)
        if claimed is None:
            return True  # another worker has it, or it was cancelled
        message = WebhookMessage(claimed.event_id, claimed.type, claimed.at_us, claimed.data, claimed.url)
        result = attempt(self._client, message, [self._box.open(sealed) for sealed in claimed.sealed_secrets], now_us)
        came_of_it, goes_on = self._store([claimed], result, now_us)
        with worker_metrics.WorkerMetrics(self.resources.redis, tenant) as metrics:
            metrics.count(worker_metrics.DELIVERY_ATTEMPTS, came_of_it)
        return goes_on

    def _store(
        self, claimed: Sequence[deliveries.Claimed], result: Result, began_us: int, reported: Collection[str] = ()
    ) -> tuple[str, bool]:
        """Handle an answer to one delivery, or to a message of several of one subscription that reported these cases:
        returns the result in a word, and whether the subscriber's next delivery may follow at once.
        """
        now_us, one = self.resources.now_us(), claimed[0]
        attempted = deliveries.LoggedAttempt(began_us, result.seconds, result.status, result.error)
        with write(self.resources.engine) as connection:
            for each in claimed:
                deliveries.note_attempt(connection, each, attempted)
            if result.silent:
                rest = rest_until_us(one.silences + 1, now_us, retry_after_seconds=result.retry_after_seconds)
                subscriptions.silent(connection, one.subscription_id, one.silences + 1, rest)
            elif one.silences:
                subscriptions.answered(connection, one.subscription_id)
            if result.delivered:
                for each in claimed:
                    deliveries.finish(connection, each, DELIVERED, now_us)
                if reported:
                    remember(connection, one.tenant_id, one.subscription_id, reported, now_us)
                return "delivered", True
            spread = random.uniform(-1, 1)  # of all alike, so that what was one message stays one
            words = {self._store_failure(connection, each, result, now_us, spread) for each in claimed}
            # The job that began this may be over, and has planned with the claim's end.
            next_us = deliveries.next_due_us(connection, one.tenant_id)
            if next_us is not None:
                timers.at_latest(connection, one.tenant_id, WORK, next_us)
        word = next(each for each in ("disabled", "given_up", "retried") if each in words)
        return word, word != "disabled" and not result.silent

    def _store_failure(
        self, connection: Connection, claimed: deliveries.Claimed, result: Result, now_us: int, spread: float
    ) -> str:
        message, failures = result.message, claimed.attempts + 1
        next_us = next_attempt_us(failures, now_us, retry_after_seconds=result.retry_after_seconds, spread=spread)
        if result.status != GONE and next_us is not None:
            deliveries.postpone(connection, claimed, next_us)
            log.info(
                "delivery %s to subscription %s failed %d of %d times: %s",
                claimed.id,
                claimed.subscription_id,
                failures,
                ATTEMPTS,
                message,
            )
            return "retried"
        deliveries.finish(connection, claimed, FAILED, now_us)
        because = (
            "the receiver answered 410 Gone"
            if result.status == GONE
            else f"{failures} attempts to deliver {claimed.event_id} failed, the last one with: {message}"
        )
        if result.status != GONE and deliveries.any_arrived(
            connection, claimed.subscription_id, now_us - LAST_PAUSE_US
        ):
            log.warning(
                "delivery %s was given up; subscription %s stays enabled, since it accepts others: %s",
                claimed.id,
                claimed.subscription_id,
                because,
            )
            return "given_up"
        subscriptions.disable(
            connection,
            claimed.tenant_id,
            claimed.subscription_id,
            because,
            by=ACTOR,
            now_us=now_us,
            cancel=result.status == GONE,
        )
        log.warning("subscription %s was disabled: %s", claimed.subscription_id, because)
        return "disabled"
