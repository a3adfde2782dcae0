"""The ingest job: move one tenant's stream into the archive.

At least once, and idempotent: entries are acknowledged after the commit, and the archive skips what it has.
An entry that keeps failing is tried in smaller and smaller parts; items that cannot be archived become dead letters.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from redis import Redis
from redis.exceptions import RedisError
from rq.timeouts import BaseTimeoutException
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from service import logs
from service.errors import LostLease, StoreUnavailable, UnknownTenant
from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints.archive_reader import ingest_state_of
from service.storage.complaints.archive_writer import CommitResult, commit
from service.storage.complaints.dead_letters import bury
from service.storage.privacy.privacy_filters import erased_marks, open_privacy_filter
from service.storage.redis_store import assessments, hurry, redis_keys, stream
from service.storage.redis_store.job_queue import enqueue, others_wait
from service.storage.redis_store.leases import Lease, held, take_ingest_epoch
from service.storage.redis_store.redis_identity import agree, identity_in, require_identity, user_of
from service.storage.redis_store.stream import StreamEntry
from service.storage.sql.engine import write
from workers.resources import Resources

log = logging.getLogger(__name__)

CONSUMER = "ingest"  # fixed: the next worker finds what the last one did not finish
TURN_SECONDS = 2.0  # then other tenants have their turn
SHORT_TURN_SECONDS = 0.2  # where one of them waits: a turn costs its tenant a look at SQL and Redis, some milliseconds
ENTRIES_AT_ONCE = 1_000
ITEMS_AT_ONCE = 4_000  # a transaction of 4-8k rows costs least a row, and other tenants wait for its end
DELIVERIES = 5
DAY = timedelta(days=1)
_OCCURRED = re.compile(rb'"occurred_at":"([^"]{20,40})"')  # canonical lines: our own spelling

# Failures of the stores, not of an item: no reason for a dead letter.
_PASSING = (LostLease, OperationalError, StoreUnavailable, RedisError, OSError, MemoryError, BaseTimeoutException)


def run(tenant: str, resources: Resources) -> None:
    """Archive what waits in the tenant's stream, for 2 s at most; returns at once when another worker does."""
    with held(resources.redis, "ingest", tenant) as lease:
        if lease is None:
            return
        try:
            number = tenant_id(resources.engine, tenant)
        except UnknownTenant:
            log.warning("tenant %r no longer exists: its stream is left alone", tenant)
            return
        _Drain(tenant, number, lease, resources).until(
            time.monotonic() + TURN_SECONDS, time.monotonic() + SHORT_TURN_SECONDS
        )


def by_day(entries: Sequence[StreamEntry]) -> Iterator[list[StreamEntry]]:
    """The entries in groups that span about a day of event time each, in order; an entry of several days is cut.

    Each group becomes one row of the feed, and detection sweeps between rows: history that is replayed months at a
    time is analysed as it would have been then.
    """
    group: list[StreamEntry] = []
    begin: datetime | None = None
    for entry in entries:
        for part in _cut(entry):
            time = _time_of(part.lines.partition(b"\n")[0])
            if group and begin is not None and time is not None and abs(time - begin) > DAY:
                yield group
                group, begin = [], None
            begin = begin or time
            group.append(part)
    if group:
        yield group


def _cut(entry: StreamEntry) -> Iterator[StreamEntry]:
    """The entry, or the parts of it that span a day each where its ends lie further apart."""
    lines = entry.lines.split(b"\n")
    first, last = _time_of(lines[0]), _time_of(lines[-1])
    if entry.first <= 0 or first is None or last is None or abs(last - first) <= DAY:
        yield entry
        return
    start, begin = 0, first
    for number, line in enumerate(lines):
        time = _time_of(line)
        if time is not None and abs(time - begin) > DAY and number > start:
            yield replace(entry, first=entry.first + start, lines=b"\n".join(lines[start:number]))
            start, begin = number, time
    yield replace(entry, first=entry.first + start, lines=b"\n".join(lines[start:]))


def _time_of(line: bytes) -> datetime | None:
    """When the complaint of a line was made; None for any other item, or a line that cannot be read (the commit will
    say so).
    """
    found = _OCCURRED.search(line) if line.startswith(b"c") else None
    try:
        return datetime.fromisoformat(found.group(1).decode()) if found else None
    except ValueError:
        return None


class _Epochs:
    """The epochs under which this process archives, by tenant. Taking a new one is a transaction of its own, so one is
    kept until another process takes the tenant over, or an erasure raises the epoch.
    """

    def __init__(self) -> None:
        self.by_tenant: dict[int, int] = {}


class _Drain:
    """One worker's turn with one tenant."""

    def __init__(self, tenant: str, number: int, lease: Lease, resources: Resources) -> None:
        self.tenant, self.number, self.lease, self.resources = tenant, number, lease, resources
        self.redis: Redis = resources.redis
        in_redis = identity_in(self.redis.get(redis_keys.IDENTITY))
        self._identity = in_redis or agree(resources.engine, self.redis, user_of(resources.settings))
        epochs = resources.kept(_Epochs).by_tenant
        with resources.engine.connect() as connection:
            require_identity(connection, self._identity)
            state = ingest_state_of(connection, number)
        if state.epoch != epochs.get(number):
            epochs[number] = take_ingest_epoch(resources.engine, number)
            with resources.engine.connect() as connection:
                state = ingest_state_of(connection, number)
        self.epoch, self.position = epochs[number], state.archived_position  # while the epoch holds, nobody moves it
        self._privacy_filter = open_privacy_filter(resources.engine, SecretBox(resources.settings), number)

    def until(self, deadline: float, sooner: float = math.inf) -> None:
        """Drain until the stream is empty or the deadline (monotonic seconds) has passed; the sooner one where another
        job waits.
        """
        while True:
            entries = self._next()
            if entries:
                self._archive(entries)
            if hurry.is_hurried(self.redis, self.tenant):
                enqueue(self.redis, "detect", self.tenant)  # somebody waits for it: not at the clock's next beat
            if not entries:
                return
            self.lease.check()
            now = time.monotonic()
            if now >= deadline or (now >= sooner and others_wait(self.redis, "ingest")):
                return

    def _next(self) -> list[StreamEntry]:
        """The next entries in the order of their positions."""
        entries = self._read()
        if self._gap(entries):
            # A worker that lost its lease may have been handed what comes before. All of it is pending now, so
            # a second look finds it. Where it does not, the entries are really gone (Redis lost data).
            entries = self._read()
        return entries

    def _read(self) -> list[StreamEntry]:
        return stream.read_entries(self.redis, self.tenant, CONSUMER, ENTRIES_AT_ONCE, ITEMS_AT_ONCE)

    def _gap(self, entries: Sequence[StreamEntry]) -> bool:
        expected = self.position + 1
        for entry in entries:
            if entry.first > expected:
                return True
            if entry.first > 0:
                expected = max(expected, entry.first + entry.n)
        return False

    def _archive(self, entries: list[StreamEntry]) -> None:
        if all(entry.deliveries < DELIVERIES for entry in entries):
            try:
                self._commit(entries)
            except _PASSING:
                raise
            except Exception as error:
                log.warning(
                    "tenant %s: %d entries cannot be archived together: %s",
                    self.tenant,
                    len(entries),
                    type(error).__name__,
                )
            else:
                return
        self._archive_singly(entries)

    def _archive_singly(self, entries: list[StreamEntry]) -> None:
        """One transaction an entry, in order.

        The first that fails waits for its next delivery, and the rest behind it.
        """
        for entry in entries:
            if entry.deliveries >= DELIVERIES:
                self._archive_items(entry)
            else:
                self._commit([entry])

    def _archive_items(self, entry: StreamEntry) -> None:
        """Split the entry in halves until the failing item is alone: it becomes a dead letter, the rest is archived."""
        buried = self._archive_part(entry, 0, entry.lines.split(b"\n"))
        log.warning(
            "tenant %s: an entry of %d items was archived in parts, %d of them are dead letters",
            self.tenant,
            entry.n,
            buried,
        )
        with self.resources.engine.connect() as connection:
            state = ingest_state_of(connection, self.number)
        self._finish([entry], state.archived_position)

    def _archive_part(self, entry: StreamEntry, offset: int, lines: list[bytes]) -> int:
        first = entry.first + offset if entry.first > 0 else entry.first
        part = replace(entry, first=first, lines=b"\n".join(lines))
        try:
            with self._writing() as connection:
                commit(connection, self.number, self.epoch, [part], self._filter_now(connection))
            return 0
        except _PASSING:
            raise
        except Exception as error:
            if len(lines) > 1:
                middle = len(lines) // 2
                return self._archive_part(entry, offset, lines[:middle]) + self._archive_part(
                    entry, offset + middle, lines[middle:]
                )
            with self._writing() as connection:
                bury(connection, self.number, self.epoch, part, error, self.resources.now_us())
            # Its text may quote the item: that is for `brigadewatch dead-letters list`, not for the log.
            log.error(
                "tenant %s: the item at position %d, posted by %s, goes to the dead letters: %s",
                self.tenant,
                part.first,
                entry.requests or "an unknown request",
                type(error).__name__,
            )
            logs.add(dead=1)
            return 1

    def _commit(self, entries: list[StreamEntry]) -> CommitResult:
        with self._writing() as connection:
            privacy_filter = self._filter_now(connection)
            for group in by_day(entries):
                result = commit(connection, self.number, self.epoch, group, privacy_filter)
        self._finish(entries, result.archived_position)
        return result

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that the database takes only from its own Redis."""
        with write(self.resources.engine) as connection:
            require_identity(connection, self._identity)
            yield connection

    def _filter_now(self, connection: Connection) -> PrivacyFilter:
        """Who is erased as of this transaction: an erasure takes the epoch, so that a commit after it has seen it."""
        return replace(self._privacy_filter, erased=erased_marks(connection, self.number))

    def _finish(self, entries: list[StreamEntry], position: int) -> None:
        """Update Redis only after the commit, so that a crash in between repeats work and loses none."""
        logs.add(entries=len(entries), items=sum(entry.n for entry in entries))
        logs.note(position=position)
        logs.collect("requests", (request for entry in entries for request in entry.requests.split(",") if request))
        self.position = position
        assessments.write_progress(self.redis, self.tenant, archived=position)
        self.redis.sadd(redis_keys.TENANTS_DIRTY, self.tenant)
        stream.acknowledge(self.redis, self.tenant, [entry.entry_id for entry in entries])
