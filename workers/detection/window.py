"""The hot window: complaints in flat columns, kept sorted four ways.

Every question that detection asks ("how many complained about this target around that moment?", "did these two complain
about the same thing?") is a binary search in one of four sorted arrays, so that late arrivals and withdrawals are exact
and no counters have to be kept in sync. A tick costs one merge per index (memory copies), not one update per entity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from workers.detection.arrays import Bools, Events, Ints, stretched, with_room
from workers.detection.sorted_index import AT_ONCE, Index, NameIndex, in_order, spread
from workers.detection.threads import in_threads

TIME_BITS = 38  # 2^38 ms = 8.7 years after the origin
TIME_MASK = (1 << TIME_BITS) - 1
ORIGIN_MARGIN_MS = 400 * 86_400_000  # room for what is older than the first complaint seen
HOUR_MS = 3_600_000
UNKNOWN_MS = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Complaints:
    """Complaints as columns, one entry each: what `Window.append` takes. Keys are any 64-bit integers."""

    seq: Ints  # the caller's own number, returned in results
    time_ms: Ints
    reporter: Ints
    target: Ints
    context: Ints  # 0: none given; the target is then its own context
    author: Ints  # 0: unknown
    created_ms: Ints  # of the reporter's account; UNKNOWN_MS where unknown
    fingerprint: Ints  # 0: none
    exempt: Bools  # trusted reporter or illegal-content notice
    # seq -> signature of the text (service/intake/text_fingerprints.py), where it has enough words
    texts: Mapping[int, bytes]

    def __len__(self) -> int:
        return len(self.seq)

    def only(self, rows: Bools) -> Complaints:
        """Those that are marked; all texts stay."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "texts"})


_COLUMNS = {
    "seq": np.int64,
    "time": np.int64,
    "reporter": np.int32,
    "target": np.int32,
    "context": np.int32,
    "author": np.int32,
    "created": np.int64,
    "fingerprint": np.int64,
}


class Window:
    """The complaints of the last `span_ms` of event time.

    Times inside are milliseconds after `origin`; reporters, targets, contexts and authors are dense numbers
    (`reporters.keys[n]` gives the caller's key back). An event is a row of the columns.
    """

    def __init__(self, span_ms: int, scales_ms: tuple[int, ...], threads: int = 1) -> None:
        self.threads = threads  # that may look at it at once, while nothing changes it
        self.span = span_ms
        self.scales = np.array(scales_ms, np.int64)
        self.origin = 0
        self.watermark = -1  # latest time seen; -1: nothing yet
        self.since = 0  # complaints older than this have left
        self.reporters, self.targets, self.contexts, self.authors = NameIndex(), NameIndex(), NameIndex(), NameIndex()
        self.size = 0  # rows used, gone ones included
        self.live = 0  # N
        self.seq: Ints = np.empty(0, np.int64)
        self.time: Ints = np.empty(0, np.int64)
        self.reporter: Events = np.empty(0, np.int32)
        self.target: Events = np.empty(0, np.int32)
        self.context: Events = np.empty(0, np.int32)
        self.author: Events = np.empty(0, np.int32)
        self.created: Ints = np.empty(0, np.int64)
        self.fingerprint: Ints = np.empty(0, np.int64)
        self.exempt: Bools = np.empty(0, bool)
        self.gone: Bools = np.empty(0, bool)  # left the window, or withdrawn
        self.texted: Bools = np.empty(0, bool)  # has an entry in `text`
        self.text: dict[int, bytes] = {}  # event -> signature of the text
        self.degree: Events = np.zeros(0, np.int32)  # d_u by reporter
        self.crowd: Events = np.zeros(0, np.int32)  # complaints by target
        self.context_crowd: Events = np.zeros(0, np.int32)
        self.context_of: Events = np.zeros(0, np.int32)  # by target
        self.author_of: Events = np.zeros(0, np.int32)
        self.by_target, self.by_context = Index(), Index()  # entity << TIME_BITS | time
        self.by_pair, self.by_reporter_context = Index(), Index()  # reporter << 32 | target or context
        self._counts: npt.NDArray[np.int32] = np.empty((0, len(scales_ms) + 1), np.int32)
        self._hourly: tuple[tuple[int, int, int], Ints] | None = None  # of a state of the columns
        self._counted: tuple[int, int, int] | None = None  # the state of which all counts are known
        self._final: Bools = np.empty(0, bool)  # cached counts that no later complaint can change

    @property
    def names(self) -> int:
        """Reporters, targets, contexts and authors that it knows; no number is used again when one leaves."""
        return sum(map(len, (self.reporters, self.targets, self.contexts, self.authors)))

    # --- coming and going

    def append(self, batch: Complaints) -> Events:
        """Take new complaints in and let old ones leave; returns the events of those that are in the window.

        The caller ensures that a reporter has one complaint per target. Order inside the batch is irrelevant.
        """
        settled = self.watermark  # counts that are final were so at this time
        if len(batch):
            # Placed by the newest: a complaint dated 1970 leaves the window at once and must not stretch it.
            origin = int(batch.time_ms.max()) - self.span - ORIGIN_MARGIN_MS
            if self.watermark < 0:
                self.origin = origin
            elif origin - self.origin > TIME_MASK // 2:
                self._move_origin(origin)
                settled = self.watermark
        # Ties are broken by who and what, so that neither batching nor order of arrival shows in the result.
        order = in_order(batch.time_ms, batch.reporter, batch.target)
        time = batch.time_ms[order] - self.origin
        if len(time):
            self.watermark = max(self.watermark, int(time[-1]))
            self.since = max(self.since, self.watermark - self.span)
        late_bound = np.searchsorted(time, self.since)
        order, time = order[late_bound:], time[late_bound:]
        self._expire()
        if not len(order):
            return np.empty(0, np.int32)
        events = self._store(batch, order, time)
        self._register(events, settled)
        return events

    def _store(self, batch: Complaints, order: Ints, time: Ints) -> Events:
        first, count = self.size, len(order)
        self._reserve(first + count)
        rows = slice(first, first + count)
        self.seq[rows], self.time[rows] = batch.seq[order], time
        # A target without a context is its own; the bit flip keeps its key apart from declared ones.
        context = np.where(batch.context == 0, ~batch.target, batch.context)
        named = (
            (self.reporters, batch.reporter),
            (self.targets, batch.target),
            (self.contexts, context),
            (self.authors, batch.author),
        )
        threads = self.threads if count > AT_ONCE else 1
        numbers = in_threads(threads, lambda column: column[0].numbers(column[1][order]).astype(np.int32), named)
        self.reporter[rows], self.target[rows], self.context[rows], self.author[rows] = numbers
        self.created[rows] = np.where(batch.created_ms == UNKNOWN_MS, UNKNOWN_MS, batch.created_ms - self.origin)[order]
        self.fingerprint[rows], self.exempt[rows] = batch.fingerprint[order], batch.exempt[order]
        self.gone[rows], self._final[rows], self.texted[rows] = False, False, False
        self.size += count
        self.live += count
        if batch.texts:
            with_text = np.fromiter(batch.texts, np.int64, len(batch.texts))
            seqs = batch.seq[order]
            for place in np.flatnonzero(np.isin(seqs, with_text)).tolist():
                self.text[first + place] = batch.texts[int(seqs[place])]
                self.texted[first + place] = True
        return np.arange(first, first + count, dtype=np.int32)

    def _register(self, events: Events, settled: int) -> None:
        r, v, a, t = (x[events].astype(np.int64) for x in (self.reporter, self.target, self.context, self.time))
        self.degree, self.crowd = with_room(self.degree, len(self.reporters)), with_room(self.crowd, len(self.targets))
        self.context_crowd = with_room(self.context_crowd, len(self.contexts))
        self.context_of, self.author_of = (
            with_room(self.context_of, len(self.targets)),
            with_room(self.author_of, len(self.targets)),
        )
        one = self.degree.dtype.type(1)  # numpy takes forty times as long to add another type
        np.add.at(self.degree, r, one)
        np.add.at(self.crowd, v, one)
        np.add.at(self.context_crowd, a, one)
        self.context_of[v], self.author_of[v] = a, self.author[events]
        self._unsettle(events, t, settled)
        keys = (
            (self.by_target, v << TIME_BITS | t),
            (self.by_context, a << TIME_BITS | t),
            (self.by_pair, r << 32 | v),
            (self.by_reporter_context, r << 32 | a),
        )
        in_threads(self.threads if len(events) > AT_ONCE else 1, lambda new: new[0].insert(new[1], events), keys)

    def _unsettle(self, events: Events, time: Ints, settled: int) -> None:
        """Counts that were final at the watermark `settled` are open again where a complaint came in late."""
        reach = int(self.scales[-1])
        late = time < settled
        if not late.any() or not self._final[: self.size].any():
            return
        events, time = events[late], time[late]
        for index, entity in ((self.by_target, self.target[events]), (self.by_context, self.context[events])):
            base = entity.astype(np.int64) << TIME_BITS
            # Final is only what lies more than the reach before `settled`: mostly a sliver, and no scan of a crowded
            # target.
            low = np.searchsorted(index.keys, base | np.maximum(time - reach, self.since), "left")
            high = np.searchsorted(index.keys, base | np.clip(settled - reach, 0, time + reach), "right")
            _, place = spread(low, high)
            self._final[index.events[place]] = False

    def _move_origin(self, origin: int) -> None:
        """Let the times inside begin later, before they outgrow their bits; what is older than `origin` leaves."""
        moved = origin - self.origin
        self.since = max(self.since, moved)
        self._expire()
        self._compact()
        self.origin, self.watermark, self.since = origin, self.watermark - moved, self.since - moved
        rows = slice(0, self.size)
        self.time[rows] -= moved
        self.created[rows] = np.where(self.created[rows] == UNKNOWN_MS, UNKNOWN_MS, self.created[rows] - moved)
        self.by_target.keys = self.by_target.keys - moved
        self.by_context.keys = self.by_context.keys - moved

    def relabel(self, targets: Ints, contexts: Ints) -> None:
        """Put targets into other contexts (both as the caller's keys); targets not named keep theirs."""
        number = self.targets.find(targets)
        known = number >= 0
        place = self.context_of[: len(self.targets)].copy()
        place[number[known]] = self.contexts.numbers(contexts[known])
        self.context_of[: len(place)] = place
        rows = slice(0, self.size)
        self.context[rows] = place[self.target[rows]]
        events = np.flatnonzero(~self.gone[rows]).astype(np.int32)
        a, t, r = self.context[events].astype(np.int64), self.time[events], self.reporter[events].astype(np.int64)
        self.context_crowd = np.bincount(a, minlength=len(self.contexts)).astype(np.int32)
        self.by_context, self.by_reporter_context = Index(), Index()
        self.by_context.insert(a << TIME_BITS | t, events)
        self.by_reporter_context.insert(r << 32 | a, events)
        self._final[rows], self._counted = False, None

    def remove(self, seqs: npt.ArrayLike) -> Events:
        """Take out complaints that no longer stand; unknown seqs are ignored. Returns the events removed."""
        numbers = np.asarray(seqs, np.int64)
        found = np.flatnonzero(np.isin(self.seq[: self.size], numbers) & ~self.gone[: self.size]).astype(np.int32)
        if len(found):
            self._leave(found)
            for index in (self.by_target, self.by_context, self.by_pair, self.by_reporter_context):
                index.delete(self.gone)
            self._final[: self.size] = False  # rare enough to count everything again
        return found

    def _expire(self) -> None:
        old = np.flatnonzero((self.time[: self.size] < self.since) & ~self.gone[: self.size]).astype(np.int32)
        if len(old):
            self._leave(old)
        dead = self.size - self.live
        if dead > 1024 and dead * 8 > self.size:
            self._compact()

    def _leave(self, events: Events) -> None:
        self.gone[events] = True
        np.subtract.at(self.degree, self.reporter[events], 1)
        np.subtract.at(self.crowd, self.target[events], 1)
        np.subtract.at(self.context_crowd, self.context[events], 1)
        self.live -= len(events)
        if self.text:
            for event in events.tolist():
                self.text.pop(event, None)

    def _compact(self) -> None:
        keep = np.flatnonzero(~self.gone[: self.size])
        moved = np.full(self.size, -1, np.int32)
        moved[keep] = np.arange(len(keep), dtype=np.int32)
        for index in (self.by_target, self.by_context, self.by_pair, self.by_reporter_context):
            index.delete(self.gone)
            index.events = moved[index.events]
        for name in (*_COLUMNS, "exempt", "gone", "texted", "_final", "_counts"):
            column = getattr(self, name)
            column[: len(keep)] = column[keep]
        self.text = {int(moved[e]): t for e, t in self.text.items() if moved[e] >= 0}
        self.size = len(keep)

    def _reserve(self, rows: int) -> None:
        if rows <= len(self.seq):
            return
        room = max(rows, len(self.seq) * 9 // 8, 1024)
        for name, kind in _COLUMNS.items():
            setattr(self, name, stretched(getattr(self, name), room, kind))
        for name in ("exempt", "gone", "texted", "_final"):
            setattr(self, name, stretched(getattr(self, name), room, np.bool_))
        self._counts = stretched(self._counts, room, np.int32)

    # --- reading

    def hour_of(self, events: Events) -> Ints:
        """The hour of each live event, 0 the first of the window."""
        return np.asarray((self.time[events] - self.since) // HOUR_MS, np.int64)

    def hourly(self) -> Ints:
        """Live complaints in each hour of the window."""
        state = self._state()
        if self._hourly is None or self._hourly[0] != state:
            self._hourly = state, np.bincount(self.hour_of(np.flatnonzero(~self.gone[: self.size])))
        return self._hourly[1]

    def runs(self, index: Index, entities: Ints) -> tuple[Ints, Events]:
        """All live events of each entity, as (position in `entities`, event), entity by entity.

        `index` is by_target or by_context (then in time order), or one of the reporter indexes.
        """
        bits = TIME_BITS if index is self.by_target or index is self.by_context else 32
        entities = np.asarray(entities, np.int64)
        low = np.searchsorted(index.keys, entities << bits | (self.since if bits == TIME_BITS else 0), "left")
        high = np.searchsorted(index.keys, (entities + 1) << bits, "left")
        owner, place = spread(low, high)
        events = index.events[place]
        if bits == 32:
            alive = ~self.gone[events]
            owner, events = owner[alive], events[alive]
        return owner, events

    def find_pairs(self, reporters: Ints, targets: Ints) -> Events:
        """The event of each (reporter, target), -1 where that reporter's complaint is not in the window."""
        keys = reporters.astype(np.int64) << 32 | targets
        index = self.by_pair
        if not len(index.keys):
            return np.full(len(keys), -1, np.int32)
        # The newest of equal keys: an older one of the same pair may have left.
        at = np.searchsorted(index.keys, keys, "right") - 1
        hit = (at >= 0) & (index.keys[np.maximum(at, 0)] == keys)
        events = np.where(hit, index.events[np.maximum(at, 0)], -1)
        return np.where((events >= 0) & ~self.gone[np.maximum(events, 0)], events, -1).astype(np.int32)

    def context_share(self, reporters: Ints, contexts: Ints) -> Ints:
        """How many live complaints each reporter has in the context beside it."""
        keys = reporters.astype(np.int64) << 32 | contexts
        index = self.by_reporter_context
        count = np.zeros(len(keys), np.int64)
        if not len(index.keys):
            return count
        low = np.searchsorted(index.keys, keys, "left")
        some = np.flatnonzero(index.keys[np.minimum(low, len(index.keys) - 1)] == keys)  # mostly few: the end is theirs
        low, high = low[some], np.searchsorted(index.keys, keys[some], "right")
        count[some] = high - low
        if self.live < len(index.keys):
            owner, place = spread(low, high)
            count[some] = np.bincount(owner[~self.gone[index.events[place]]], minlength=len(some))
        return count

    def counts(self, events: Events) -> npt.NDArray[np.int32]:
        """Per event: complaints on its target within each scale of it (itself included), then on its context within the
        largest.

        Shape (len(events), scales + 1). Exact; counts that nothing can change any more are remembered.
        """
        reach = int(self.scales[-1])
        if self._counted == self._state():
            return self._counts[events]
        time = self.time[events]
        stale = ~self._final[events] | (time - reach < self.since)
        if stale.any():
            which = events[stale]
            which = which[
                np.argsort(self.target[which].astype(np.int64) << TIME_BITS | self.time[which], kind="stable")
            ]
            t = self.time[which]
            v, a = self.target[which].astype(np.int64) << TIME_BITS, self.context[which].astype(np.int64) << TIME_BITS
            for k, scale in enumerate(self.scales.tolist()):
                self._counts[which, k] = self._within(self.by_target, v, t, scale)
            self._counts[which, -1] = self._within(self.by_context, a, t, reach)
            self._settle(which)
        return self._counts[events]

    def count_all(self) -> None:
        """Find the counts of all events, for `counts` to give until the window changes.

        Along the indexes each search begins where the last one ended, several times faster than event by event.
        """
        scales = self.scales.tolist()
        for index, columns in ((self.by_target, list(enumerate(scales))), (self.by_context, [(-1, scales[-1])])):
            for start in range(0, len(index.keys), AT_ONCE):
                keys, events = index.keys[start : start + AT_ONCE], index.events[start : start + AT_ONCE]
                for column, scale in columns:
                    self._counts[events, column] = self._within(index, keys & ~TIME_MASK, keys & TIME_MASK, scale)
        self._settle(self.by_target.events)
        self._counted = self._state()

    def _settle(self, events: Events) -> None:
        time, reach = self.time[events], int(self.scales[-1])
        self._final[events] = (time + reach < self.watermark) & (time - reach >= self.since)

    def _state(self) -> tuple[int, int, int]:
        return self.size, self.live, self.since

    def _within(self, index: Index, base: Ints, time: Ints, scale: int) -> Ints:
        low = np.searchsorted(index.keys, base | np.maximum(time - scale, self.since), "left")
        return np.asarray(
            np.searchsorted(index.keys, base | np.minimum(time + scale, TIME_MASK), "right") - low, np.int64
        )
