"""The polls of one tenant: its platforms' lists in, complaints and outcomes out, into the stream as the API puts them
there.

At least once, and idempotent: a page's items are in the stream before the cursor behind it is stored, and what the
archive has is not sent again. Work is bounded: a job fetches so many pages and takes so long, and the rest is the next
job's, so that no platform holds up the others' jobs in the queue.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import httpx

from service import logs
from service.errors import Overloaded, Refused, StoreUnavailable, UnknownTenant
from service.intake.documents import Submission
from service.intake.privacy_filter import PrivacyFilter
from service.model import JsonObject, microseconds, moment
from service.ops import worker_metrics
from service.outbound.client import outbound_client
from service.platforms.items import Item
from service.platforms.listed import Listing
from service.platforms.poll_protocol import Poller, Unexpected
from service.platforms.registry import PLATFORM_BY_NAME
from service.polling.fetch import (
    LONGEST_RETRY_AFTER_SECONDS,
    MAX_BYTES,
    TIMEOUT_SECONDS,
    Absent,
    PollFailed,
    fetch,
)
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints.archive_reader import archived_ids
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import recent_deliveries
from service.storage.redis_store.job_kinds import LOOK_AGAIN_SECONDS, SLACK_SECONDS
from service.storage.redis_store.leases import held
from service.storage.redis_store.recent_deliveries import Arrival
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.redis_store.stream import StreamBatch
from service.storage.redis_store.unseen import marker
from service.storage.sql import timers
from service.storage.sql.engine import write
from service.storage.webhooks.sources import (
    Source,
    claim_poll,
    lock_source,
    open_secrets,
    pollers,
    record_cursor,
    record_poll,
)
from workers.resources import Resources
from workers.stream_append import append

log = logging.getLogger(__name__)

TURN_SECONDS = 8.0  # of one job; restores wait in the same queue
NEWS_ASKS = 40  # requests for what is new, a poll
# requests that look again at what is known, a poll: a week of a busy newspaper takes some hours
REVIEW_ASKS = 5
GAP_US = 2_000_000  # between two polls of a source, however often it is woken
ONWARD_US = 2_000_000  # to the next poll of a list that was not read to its end
BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 15.0, 900.0
MAX_ERROR_CHARACTERS = 500
UNUSABLE = "fields unusable"  # in the counts of a poll
SECOND_US = 1_000_000


def run(tenant: str, resources: Resources) -> None:
    """Poll the tenant's platforms that are due; returns at once when another worker does."""
    with held(resources.redis, "poll", tenant) as lease:
        if lease is None:
            return
        try:
            number = tenant_id(resources.engine, tenant)
        except UnknownTenant:
            log.warning("tenant %r no longer exists: nothing is polled for it", tenant)
            return
        with outbound_client(resources.settings, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MAX_BYTES) as client:
            Turn(tenant, number, resources, client).take()


@dataclass
class Turn:
    """One job's polls for one tenant."""

    tenant: str
    number: int
    resources: Resources
    client: httpx.Client
    jitter: Callable[[], float] = random.random
    seconds: float = TURN_SECONDS
    deadline: float = field(init=False)

    @cached_property
    def identity(self) -> str:
        """The Redis that the items go to. Raises StoreUnavailable unless it is the one of this database."""
        return agree(self.resources.engine, self.resources.redis, user_of(self.resources.settings))

    def take(self) -> None:
        """Poll due sources, the longest due first, and schedule the next job."""
        self.deadline = time.monotonic() + self.seconds
        with self.resources.engine.connect() as connection:
            known = pollers(connection, self.number)
        for source in sorted(known, key=self._due_us):
            if self._due_us(source) > self.resources.now_us() or time.monotonic() >= self.deadline:
                break
            self._poll(source)
        self._plan()

    def _plan(self) -> None:
        with write(self.resources.engine) as connection:
            # First the lock on the timer, then the look: who wakes a source in between is either seen or waits.
            timers.hold(connection, self.number, "poll", self.resources.now_us())
            left = pollers(connection, self.number)
            next_us = min(map(self._due_us, left), default=None)
            if next_us is not None:
                next_us = min(next_us, self.resources.now_us() + LOOK_AGAIN_SECONDS * SECOND_US)
            timers.move_to(connection, self.number, "poll", next_us)

    def _due_us(self, source: Source) -> int:
        return due_us(source, self.resources.now_us(), self.resources.settings.poll_seconds)

    def _poll(self, source: Source) -> None:
        began_us = self.resources.now_us()
        interval_us = int(self.resources.settings.poll_seconds * SECOND_US)
        with write(self.resources.engine) as connection:
            if not claim_poll(connection, source, began_us + interval_us):
                return
        poll = _Poll(self, source, moment(began_us))
        pause_us, failures, error, result = interval_us, 0, None, "ok"
        try:
            pause_us = interval_us if poll.go() else ONWARD_US
        except PollFailed as failed:
            result, error, failures = failed.result, str(failed), source.failures + 1
            pause_us = int(max(failed.retry_after_seconds, backoff_seconds(failures, self.jitter())) * SECOND_US)
        except (Overloaded, StoreUnavailable) as ours:
            # Not the platform's fault: it is polled again as soon as there is room.
            result, error, failures = "waiting", f"waits for our own stream: {ours}", source.failures
            pause_us = int(getattr(ours, "retry_after_seconds", 5) * SECOND_US)
        self._record(source, poll.cursor, began_us + interval_us, pause_us, failures, error)
        if poll.counts["sent"] or poll.counts["refused"] or error:
            recent_deliveries.note_poll(self.resources.redis, self.tenant, source.id, poll.arrival(result, error))
        with worker_metrics.WorkerMetrics(self.resources.redis, self.tenant) as metrics:
            metrics.count(worker_metrics.POLLS, source.platform, result)
        counts = ", ".join(f"{number} {what}" for what, number in poll.counts.items())
        log.log(
            logging.INFO if error is None else logging.WARNING,
            "tenant %s: poll of %s: %s%s",
            self.tenant,
            source.platform,
            error or "ok",
            f" ({counts})" if counts else "",
        )

    def _record(
        self, source: Source, cursor: JsonObject, claimed_us: int, pause_us: int, failures: int, error: str | None
    ) -> None:
        now_us = self.resources.now_us()
        with write(self.resources.engine) as connection:
            stored = lock_source(connection, source)
            if stored is None:
                return
            next_us = now_us + pause_us
            if error is None and stored.next_poll_us is not None and stored.next_poll_us < claimed_us:
                next_us = min(next_us, stored.next_poll_us)  # woken meanwhile: this poll may have missed what is new
            record_poll(
                connection,
                source,
                next_poll_us=next_us,
                cursor=cursor,
                polled_us=now_us if error is None else None,
                failures=failures,
                last_error=None if error is None else error[:MAX_ERROR_CHARACTERS],
            )


class _Poll:
    """One poll of one source: pages, until it is caught up or its bounds are reached."""

    def __init__(self, turn: Turn, source: Source, now: datetime) -> None:
        self.turn, self.source, self.now = turn, source, now
        self.cursor: JsonObject = source.cursor if isinstance(source.cursor, dict) else {}
        self.counts: Counter[str] = Counter()
        self.privacy_filter = PrivacyFilter()  # the tenant's own, once the poll begins
        self.sent: set[tuple[bool, str]] = set()  # on its way to the archive, and met again by the review
        self.first_lines: list[bytes] = []  # of those that were sent

    def arrival(self, result: str, error: str | None) -> Arrival:
        """What it brought, for the administrator who looks at the connection."""
        notes = [] if error is None else [error]
        for what, count in self.counts.items():
            if what == UNUSABLE:
                notes.append(f"optional fields that could not be used, and are unknown or cut: {count}")
            elif what not in ("read", "sent", "refused"):
                notes.append(f"left out: {what} ({count})")
        return recent_deliveries.arrival(
            microseconds(self.now),
            result,
            stored=self.counts["sent"],
            refused=self.counts["refused"],
            lines=self.first_lines,
            notes=notes,
        )

    def go(self) -> bool:
        """Whether it is caught up.

        Raises PollFailed, Overloaded, StoreUnavailable; the cursor is behind what is in the stream.
        """
        poller = PLATFORM_BY_NAME[self.source.platform].poller
        assert poller is not None  # only sources of polled platforms are claimed
        authorization = self._open(poller)
        left = Counter(news=NEWS_ASKS, review=REVIEW_ASKS)
        while True:
            try:
                ask = poller.ask(self.cursor, self.now)
                if ask is None:
                    return True
                kind = "review" if ask.review else "news"
                if left[kind] == 0 or time.monotonic() >= self.turn.deadline:
                    return ask.review  # a review has time until the next poll
                left[kind] -= 1
                try:
                    answer = fetch(self.turn.client, self.source.url or "", ask, authorization, self.now)
                except Absent:
                    absence = poller.absent(self.cursor, ask, self.now)
                    self._keep(absence.cursor)
                    if absence.failed:
                        raise PollFailed(absence.said, "refused") from None
                    self._say(absence.said)
                    continue
                taken = poller.read(self.cursor, ask, answer, self.now)
            except Unexpected as error:
                raise PollFailed(str(error), "unreadable") from None
            taken.listing.items = [item.under(self.source.namespace) for item in taken.listing.items]
            self._send(taken.listing)
            self._keep(taken.cursor)
            if taken.said is not None:
                self._say(taken.said)

    def _say(self, what: str) -> None:
        log.warning("tenant %s: poll of %s: %s", self.turn.tenant, self.source.platform, what)

    def _open(self, poller: Poller) -> str:
        """The Authorization header for requests; also opens the tenant's privacy filter."""
        resources, box = self.turn.resources, SecretBox(self.turn.resources.settings)
        try:
            found = open_secrets(self.source, box, resources.now_us())
            self.privacy_filter = open_privacy_filter(resources.engine, box, self.turn.number)
        except Refused as error:
            raise PollFailed(str(error), "unauthorized") from None
        if not found:
            raise PollFailed("the source has no token; give it one with `brigadewatch sources rotate`", "unauthorized")
        try:
            return poller.authorization(found[0])
        except ValueError as error:
            raise PollFailed(
                f"{error}; set another secret with `brigadewatch sources rotate`", "unauthorized"
            ) from None

    def _keep(self, cursor: JsonObject) -> None:
        with write(self.turn.resources.engine) as connection:
            if not record_cursor(connection, self.source, cursor):
                raise PollFailed("the source was removed", "refused")
        self.cursor = cursor

    def _send(self, listing: Listing) -> None:
        """Put into the stream what the archive does not have."""
        valid = listing.valid(self.now, self.privacy_filter)
        batch = Submission(self.privacy_filter, marker=marker(self.privacy_filter.key))
        for item in self._unknown(valid):
            before = len(batch.lines)
            batch.add(item.read(self.now, self.privacy_filter), item.noun)
            if len(batch.lines) > before:
                self.sent.add((item.is_outcome, item.id))
        sent = len(batch.lines)
        self.counts.update({"read": len(listing.items), "sent": 0, **listing.left_out})
        if batch.rejected_count:  # what is valid is refused only where its reporter was erased
            self.counts["erased"] += batch.rejected_count
        if batch.notes.count:
            self.counts[UNUSABLE] += batch.notes.count
        if sent:
            joined, marks = b"\n".join(batch.lines), b"".join(batch.marks)
            batch_of_stream = StreamBatch(sent, joined, logs.current_id() or "", marks)
            append(self.turn.resources, self.turn.tenant, self.turn.number, batch_of_stream, self.turn.identity)
            self.counts["sent"] += sent
            self.first_lines += batch.lines[: recent_deliveries.MOST_NAMED - len(self.first_lines)]

    def _unknown(self, items: list[Item]) -> list[Item]:
        complaints = [item.id for item in items if not item.is_outcome]
        outcomes = [item.id for item in items if item.is_outcome]
        with self.turn.resources.engine.connect() as connection:
            known = {
                False: archived_ids(connection, self.turn.number, "complaints", complaints),
                True: archived_ids(connection, self.turn.number, "outcomes", outcomes),
            }
        return [
            item
            for item in items
            if item.id not in known[item.is_outcome] and (item.is_outcome, item.id) not in self.sent
        ]


def due_us(source: Source, now_us: int, every_seconds: float) -> int:
    """When the source is to be polled: not twice within two seconds, however often its webhook wakes it.

    A plan beyond the longest pause, or a poll in the future, is of a wall clock that was ahead: it counts for nothing.
    """
    longest = every_seconds if not source.failures else max(LONGEST_BACKOFF_SECONDS, LONGEST_RETRY_AFTER_SECONDS)
    planned_us, polled_us = source.next_poll_us or 0, source.polled_us or -GAP_US
    if planned_us > now_us + (longest + SLACK_SECONDS) * SECOND_US:
        planned_us = 0
    return max(planned_us, polled_us + GAP_US if polled_us <= now_us + SLACK_SECONDS * SECOND_US else 0)


def backoff_seconds(failures: int, jitter: float) -> float:
    """How long to leave a platform alone after so many failures in a row; `jitter` from 0 to 1 takes up to half of it
    away.

    15 s, 30 s, 1 min, ... 15 min: sources that failed together do not come back together.
    """
    whole = min(BACKOFF_SECONDS * float(2 ** min(max(failures, 1) - 1, 10)), LONGEST_BACKOFF_SECONDS)
    return whole * (1 - jitter / 2)
