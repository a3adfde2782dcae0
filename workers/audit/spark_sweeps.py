"""The sweeps of an audit's windows as tasks of Spark's executors, each with the complaints of its window.

The groups are the same as those of sweeps here, and come in the order of the windows.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa

from service import __version__
from service.policy import Policy
from workers.audit.history import ComplaintHistory
from workers.audit.window_sweeps import Rows, Sweeps, Swept, sweeps_here
from workers.detection.detector import Detector
from workers.detection.window import Complaints
from workers.large.spark_tables import SparkTables, SparkWindows, refusing_spark_errors
from workers.large.statements import everything

log = logging.getLogger(__name__)

_COLUMNS = tuple(f.name for f in fields(Complaints) if f.name != "texts")


def sweeps_in_spark(session: Any, at_least: int) -> Sweeps:
    """Sweeps in Spark: where a window has that many complaints, its pairs by statements; otherwise a task a window."""
    large = SparkWindows(session, at_least)

    def chosen(policy: Policy, history: ComplaintHistory, windows: Sequence[Rows]) -> Iterator[Swept]:
        if not windows or large.takes(max(last - first for first, last in windows)):
            return sweeps_here(policy, history, windows, large)
        if missing := _missing_there(session):
            log.warning("windows are swept here, not on Spark's executors: %s", missing)
            return sweeps_here(policy, history, windows)
        return _sweeps_there(session, policy, history, windows)

    return chosen


def _missing_there(session: Any) -> str | None:
    """Why executors cannot sweep; None where they have this version."""

    def probe(batches: Any) -> Any:
        # Sent to the executors by value: it may not name anything of this module.
        import pyarrow

        try:
            import service
            import workers.audit.spark_sweeps  # noqa: F401

            found = service.__version__
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        for batch in batches:
            yield pyarrow.record_batch({"found": [found] * batch.num_rows})

    with refusing_spark_errors(session):
        found = {row.found for row in session.range(64).mapInArrow(probe, "found string").collect()}
    other = found - {__version__}
    return None if not other else f"they do not have brigadewatch {__version__}, which is here ({min(other)})"


def _sweeps_there(session: Any, policy: Policy, history: ComplaintHistory, windows: Sequence[Rows]) -> Iterator[Swept]:
    with SparkTables(session) as tables:
        tables.view("swept", _swept(session, policy, history.complaints, windows))
        tables.store("found", everything("swept"))
        found: dict[int, bytes] = {}
        for rows in tables.rows(everything("found")):
            found.update(zip(rows["number"].tolist(), rows["swept"].tolist(), strict=True))
    for number in range(len(windows)):
        yield pickle.loads(found.pop(number))  # noqa: S301  made by _sweep on executors of the caller's own


def _swept(session: Any, policy: Policy, complaints: Complaints, windows: Sequence[Rows]) -> Any:
    """A dataframe with what each window's sweep gives. A complaint lies in windows that follow each other."""
    firsts, lasts = np.array(windows, np.int64).T
    row = np.arange(len(complaints))
    since, until = np.searchsorted(lasts, row, "right"), np.searchsorted(firsts, row, "right") - 1
    columns = {name: pa.array(getattr(complaints, name)) for name in _COLUMNS}
    texts = pa.array(list(map(dict(complaints.texts).get, complaints.seq.tolist())), pa.binary())
    table = pa.table({"since": since, "until": until, **columns, "texts": texts}).filter(pa.array(since <= until))
    frame = session.createDataFrame(table).selectExpr("explode(sequence(since, until)) as number", *_COLUMNS, "texts")
    return frame.groupBy("number").applyInArrow(_sweep_of(policy), "number bigint, swept binary")


def _sweep_of(policy: Policy) -> Callable[[Any], Any]:
    def sweep(window: Any) -> Any:
        window = window.sort_by("seq")
        columns = {name: window[name].to_numpy() for name in _COLUMNS}
        texts = dict(zip(window["seq"].to_pylist(), window["texts"].to_pylist(), strict=True))
        batch = Complaints(**columns, texts={seq: text for seq, text in texts.items() if text is not None})
        detector, groups = Detector.sweep(policy, batch)
        swept = pickle.dumps((detector.counters, groups))
        kind = window["texts"].type  # whichever binary type the session has
        return pa.table({"number": window["number"][:1], "swept": pa.array([swept], kind)})

    return sweep
