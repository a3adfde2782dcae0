"""What would other thresholds have flagged in the last seven days?

Asked in the console (service/storage/detection/dry_runs.py).

Both runs begin from nothing and go the same way as an audit (workers/audit/windows.py): the window as it was seven days
before the watermark, then day by day up to it, each a sweep, reconciled with the one before, with the tenant's quota,
allow-list and outcomes as far as they were decided by then. One run by the thresholds in force, one by those proposed;
where they differ only in how groups are judged, the groups are found once.

A day is a step. Between two of them other jobs of the queue have their turn; what is computed so far stays in this
process, which is called back (the timer stays due) and whose claim runs out if it dies.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
from redis.exceptions import RedisError
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from service.errors import LostLease
from service.model import JsonObject, moment
from service.moderation.cluster_scoring import rescore
from service.moderation.cluster_state import ClusterState
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.what_if import Comparison, compare, held_targets, is_case, paired, targets_of, with_verdicts
from service.policy import Policy
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import clusters
from service.storage.complaints.archive_reader import (
    analysis_state_of,
    names_of,
    outcomes_of,
    read_feed_window,
    totals_of,
)
from service.storage.complaints.feed import FeedOutcome
from service.storage.detection import allow_list, dry_runs
from service.storage.detection.dry_runs import WORK, DryRun
from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_queue import others_wait
from service.storage.redis_store.leases import Lease, held
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.feed_columns import columns_of, standing
from workers.group_adapter import found_group
from workers.record_evidence import RecordEvidence
from workers.resources import Resources
from workers.shared_traits import SharedTraits

log = logging.getLogger(__name__)

DAYS = 7
MOST_COMPLAINTS = 3_000_000  # read at once: about a gigabyte; with more, fewer days are looked at
LONGEST_SECONDS = 1_800.0  # of work on one run
CLAIM_MS = 60_000  # how long another process waits for the one that has the run
LISTED = 100  # cases and targets that are named in the result
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
# What detection does not ask for in a sweep: two policies that differ in these alone find the same groups.
JUDGING = frozenset(
    {
        "flag_score",
        "prior_unfounded",
        "flags_per_day",
        "reopen_new_targets",
        "reopen_growth",
        "default_threshold",
        "warn_unfounded",
        "warn_share",
        "warn_period_seconds",
    }
)

_me = secrets.token_hex(8)
_resident: dict[str, Work] = {}  # by tenant, of this process; one run at most


def run(tenant: str, resources: Resources) -> None:
    """Go on with the tenant's dry run until it is done or another job waits; returns at once when another worker has
    it.
    """
    with held(resources.redis, WORK, tenant) as lease:
        if lease is None:
            return
        number = tenant_id(resources.engine, tenant)
        with resources.engine.connect() as connection:
            asked = dry_runs.unfinished(connection, number)
        if asked is None:
            _resident.clear()
            with write(resources.engine) as connection:
                timers.hold(connection, number, WORK, resources.now_us())
                if dry_runs.unfinished(connection, number) is None:
                    timers.move_to(connection, number, WORK, None)
            return
        if _claimed_elsewhere(resources, tenant, asked):
            return
        try:
            work = _work_on(tenant, number, asked, resources)
            if work is not None:
                _go_on(work, tenant, resources, lease)
        except (LostLease, RedisError, OperationalError):
            raise  # an outage, or somebody else goes on: what is resident still holds, or is built anew
        except Exception as error:
            _resident.clear()
            log.exception("tenant %s: dry run %s failed", tenant, asked.id)
            with write(resources.engine) as connection:
                dry_runs.finish(
                    connection,
                    number,
                    asked.id,
                    None,
                    error=f"it failed: {type(error).__name__}; the log of the worker for chores says more",
                    now_us=resources.now_us(),
                )


def _claimed_elsewhere(resources: Resources, tenant: str, asked: DryRun) -> bool:
    redis: Any = resources.redis
    claim, mine = redis_keys.lease("dry_run_claim", tenant), f"{_me}/{asked.id}".encode()
    holder = redis.get(claim)
    if holder is not None and holder != mine and holder.endswith(f"/{asked.id}".encode()):
        return True
    redis.set(claim, mine, px=CLAIM_MS)
    return False


def _work_on(tenant: str, number: int, asked: DryRun, resources: Resources) -> Work | None:
    """What this process has of the run, or its beginning; None when it is not to be gone on with."""
    known = _resident.get(tenant)
    if known is not None and known.run.id == asked.id:
        return known
    _resident.clear()
    with write(resources.engine) as connection:
        if asked.state == dry_runs.RUNNING and asked.error is not None:
            dry_runs.finish(
                connection,
                number,
                asked.id,
                None,
                error="the worker was ended twice in the middle of it; it may have too little memory",
                now_us=resources.now_us(),
            )
            return None
        begun = dry_runs.begin_anew if asked.state == dry_runs.RUNNING else _begin
        if not begun(connection, number, asked.id):
            return None
    with resources.engine.connect() as connection:
        work = _resident[tenant] = Work.begin(connection, number, asked)
    return work


def _begin(connection: Connection, number: int, run_id: str) -> bool:
    return dry_runs.note_progress(connection, number, run_id, 0.0)


def _go_on(work: Work, tenant: str, resources: Resources, lease: Lease) -> None:
    while not work.finished:
        began = time.monotonic()
        with resources.engine.connect() as connection:
            work.step(connection)
        work.seconds += time.monotonic() - began
        lease.check()
        resources.redis.set(redis_keys.lease("dry_run_claim", tenant), f"{_me}/{work.run.id}", px=CLAIM_MS)
        with write(resources.engine) as connection:
            going = dry_runs.note_progress(connection, work.number, work.run.id, work.progress)
        if not going:
            _resident.clear()
            return
        if work.seconds > LONGEST_SECONDS:
            raise TimeoutError(f"more than {LONGEST_SECONDS:.0f} s of work")
        if work.done < len(work.ends) and others_wait(resources.redis, WORK):
            return  # the timer is due still: it goes on behind them
    _resident.clear()
    with resources.engine.connect() as connection:
        result = work.result(connection)
    with write(resources.engine) as connection:
        timers.hold(connection, work.number, WORK, resources.now_us())
        dry_runs.finish(connection, work.number, work.run.id, result, now_us=resources.now_us())
        if dry_runs.unfinished(connection, work.number) is None:
            timers.move_to(connection, work.number, WORK, None)
    log.info(
        "tenant %s: dry run over %d days, %d complaints: %s, %.1f s",
        tenant,
        work.days,
        len(work.rows),
        {k: len(result[k]) for k in ("comes", "goes")},
        work.seconds,
    )


@dataclass
class Side:
    """One of the two runs."""

    policy: Policy
    recording: RecordEvidence
    states: dict[str, ClusterState] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


@dataclass
class Work:
    """A dry run under way."""

    number: int
    run: DryRun
    days: int
    rows: npt.NDArray[np.void]  # standing complaints of the span, in time order
    texts: dict[int, bytes]
    ends: Sequence[int]  # of the windows, microseconds
    watermark_us: int
    now: Side
    then: Side
    aiming: SharedTraits
    exempt: frozenset[int]  # the allow-list
    outcomes: dict[int, list[FeedOutcome]] = field(default_factory=dict)
    done: int = 0  # windows
    seconds: float = 0.0

    @classmethod
    def begin(cls, connection: Connection, number: int, run: DryRun) -> Work:
        """Read the complaints of the days and of the window before them."""
        state, now = analysis_state_of(connection, number), policy_of(connection, number)
        then, watermark_us = run.policy, state.watermark_us or 0
        span_us = max(now.window_seconds, then.window_seconds) * SECOND_US
        days = next(
            (
                d
                for d in range(DAYS, 0, -1)
                if _complaints(connection, number, watermark_us - span_us - d * DAY_US, state.cursor_seq)
                <= MOST_COMPLAINTS
            ),
            0,
        )
        since_us = watermark_us - span_us - days * DAY_US
        rows, texts = standing([row.batch for row in read_feed_window(connection, number, since_us, state.cursor_seq)])
        rows = rows[rows["time_us"] >= since_us]
        rows = rows[np.argsort(rows["time_us"], kind="stable")]
        ends = [watermark_us - back * DAY_US for back in range(days, -1, -1)] if len(rows) else []
        return cls(
            number,
            run,
            days,
            rows,
            texts,
            ends,
            watermark_us,
            Side(now, RecordEvidence(number, now.flag_score)),
            Side(then, RecordEvidence(number, then.flag_score)),
            SharedTraits(number),
            allow_list.keys_of(connection, number),
        )

    @property
    def finished(self) -> bool:
        """Whether all windows are looked at."""
        return self.done >= len(self.ends)

    @property
    def progress(self) -> float:
        """0..1."""
        return self.done / len(self.ends) if self.ends else 1.0

    def step(self, connection: Connection) -> None:
        """Look at the next window by both policies."""
        end_us = self.ends[self.done]
        groups = self._grouped(self.now.policy, end_us)
        self._take(connection, self.now, groups, end_us)
        if not _found_alike(self.now.policy, self.then.policy):
            groups = self._grouped(self.then.policy, end_us)
        self._take(connection, self.then, groups, end_us)
        self.done += 1

    def _grouped(self, policy: Policy, end_us: int) -> tuple[Detector, list[Group]] | None:
        first, last = np.searchsorted(
            self.rows["time_us"], [end_us - policy.window_seconds * SECOND_US, end_us + 1]
        ).tolist()
        return Detector.sweep(policy, columns_of(self.rows[first:last], self.texts)) if first < last else None

    def _take(
        self, connection: Connection, side: Side, found: tuple[Detector, list[Group]] | None, end_us: int
    ) -> None:
        """Reconcile the window's groups with the run's clusters, as a sweep's result is."""
        if found is None:
            return
        detector, groups = found
        aimed = self.aiming.aimed(connection, detector.window, groups)
        told = side.recording.recorded(connection, aimed, end_us)
        fresh = [found_group(told[g], self.exempt) for g in groups]
        self._know({t for f in fresh for t in f.author_by_target} | set(targets_of(side.states.values())), connection)
        recomputed = Recomputation(
            fresh, self._known_by(end_us), end_us - side.policy.window_seconds * SECOND_US, end_us, complete=True
        )
        side.states.update(reconcile(side.states, recomputed, side.policy, lambda: f"k{next(side.numbers)}"))

    def _know(self, targets: set[int], connection: Connection) -> None:
        unknown = targets - self.outcomes.keys()
        self.outcomes.update({t: [] for t in unknown} | outcomes_of(connection, self.number, unknown))

    def _known_by(self, now_us: int) -> Mapping[int, Sequence[FeedOutcome]]:
        return {t: [o for o in told if o.decided_us <= now_us] for t, told in self.outcomes.items() if told}

    def result(self, connection: Connection) -> JsonObject:
        """What the two runs say about each other, in names."""
        stored = {i: s for i, s in clusters.load(connection, self.number).items() if s.disposition != "merged"}
        overlap = self.now.policy.identity_overlap
        names, sides = [], []
        for side in (self.now, self.then):
            final = {
                i: s if s.disposition == "merged" else rescore(s, self.outcomes, self.watermark_us, side.policy)
                for i, s in side.states.items()
            }
            mine = paired([s for s in final.values() if s.disposition != "merged"], stored.values(), overlap)
            names.append(mine)
            sides.append(with_verdicts(final, stored, mine))
        compared = compare(sides[0], sides[1], self.watermark_us - self.days * DAY_US, overlap)
        return {
            "days": self.days,
            "until": moment(self.watermark_us).isoformat(),
            "complaints": len(self.rows),
            "policy_now": self.now.policy.version,
            "policy_then": self.then.policy.version,
            "seconds": round(self.seconds, 1),
            **_cases(compared, *names),
            "holds": self._holds(connection, sides),
        }

    def _holds(self, connection: Connection, sides: Sequence[dict[str, ClusterState]]) -> JsonObject:
        """What it does to the targets held at the tenant's threshold."""
        totals = totals_of(
            connection,
            self.number,
            {
                t
                for side in sides
                for t in targets_of(s for s in side.values() if is_case(s) or s.disposition == "held_back")
            },
        )
        now, then = (
            held_targets(side, totals, policy.default_threshold)
            for side, policy in zip(sides, (self.now.policy, self.then.policy), strict=True)
        )
        _, names = names_of(connection, self.number, reporters=(), targets=now ^ then)

        def named(targets: set[int]) -> list[JsonObject]:
            listed = sorted(((totals.get(t, 0), names[t]) for t in targets if t in names), key=lambda x: (-x[0], x[1]))
            return [{"target": name, "complaints": total} for total, name in listed[:LISTED]]

        return {
            "now": len(now),
            "then": len(then),
            "comes": len(then - now),
            "goes": len(now - then),
            "targets_that_come": named(then - now),
            "targets_that_go": named(now - then),
        }


def _found_alike(one: Policy, other: Policy) -> bool:
    return all(getattr(one, f.name) == getattr(other, f.name) for f in fields(Policy) if f.name not in JUDGING)


def _complaints(connection: Connection, number: int, since_us: int, upto_seq: int) -> int:
    feed = schema.feed.c
    return int(
        connection.scalar(
            select(func.coalesce(func.sum(feed["items"]), 0)).where(
                feed.tenant_id == number, feed.newest_us >= since_us, feed.last_seq <= upto_seq
            )
        )
        or 0
    )


def _cases(compared: Comparison, names_now: Mapping[str, str], names_then: Mapping[str, str]) -> JsonObject:
    return {
        "cases": {
            "now": compared.now,
            "then": compared.then,
            "stay": compared.stay,
            "decided": compared.decided,
            "new_now": compared.new[0],
            "new_then": compared.new[1],
            "held_back_now": compared.held_back[0],
            "held_back_then": compared.held_back[1],
        },
        "comes_count": len(compared.comes),
        "goes_count": len(compared.goes),
        "comes": [_case(state, names_then) for state in compared.comes[:LISTED]],
        "goes": [{**_case(gone.state, names_now), "why": gone.why} for gone in compared.goes[:LISTED]],
    }


def _case(state: ClusterState, names: Mapping[str, str]) -> JsonObject:
    return {
        "cluster": names.get(state.id),
        "kind": state.kind,
        "score": round(state.score, 2),
        "accounts": len(state.members),
        "target_count": len(state.author_by_target),
        "summary": state.summary,
        "first_at": moment(state.first_us).isoformat(),
        "last_at": moment(state.last_us).isoformat(),
    }
