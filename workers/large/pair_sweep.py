"""The pairs of a window by the statements: which table is stored when, and what numpy does with the few rows that come
back. The result is that of workers.detection.pairs and null_model, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from service.policy import Policy
from workers.detection import in_step
from workers.detection.arrays import Floats, Ints
from workers.detection.growth import Affinity
from workers.detection.null_model import LEAST_CONTROL, fit_gamma, smallest_p
from workers.detection.pairs import drawn_places
from workers.detection.swept_pairs import SweptPairs
from workers.detection.window import Complaints
from workers.large.statements import Statements

Columns = Mapping[str, npt.NDArray[Any]]


class Tables(Protocol):
    """Where the statements run."""

    def load(self, name: str, columns: Columns) -> None:
        """Make columns a table, in place of an earlier one of that name."""

    def store(self, name: str, select: str) -> None:
        """Store what a SELECT gives as a table."""

    def drop(self, *names: str) -> None:
        """Forget tables."""

    def rows(self, select: str) -> Iterator[Columns]:
        """What a SELECT gives, some thousands of rows at a time."""


def pairs_of(tables: Tables, policy: Policy, batch: Complaints) -> SweptPairs:
    """The pairs of all complaints of the window that ends with the latest of these; there must be one."""
    since = int(batch.time_ms.max()) - policy.window_seconds * 1000
    sql = Statements(policy, since)
    # A target without a context is its own, as in the window.
    context = np.where(batch.context == 0, ~batch.target, batch.context)
    tables.load(
        "complaints",
        {"reporter": batch.reporter, "target": batch.target, "context": context, "time_ms": batch.time_ms},
    )
    tables.store("e", sql.events())
    tables.drop("complaints")
    [[n, cut]] = _table(tables, sql.size(), "n", "cut").tolist()
    tables.store("met", sql.met())
    tables.store("pairs", sql.pairs())
    met, affinity = _fitted(tables, sql)
    tables.drop("met")
    tables.store("x", sql.shared())
    tables.store("ways", sql.together("pairs"))
    [[joined]] = _table(tables, sql.count("pairs"), "n").tolist()
    tables.drop("pairs")
    tables.store("ex", sql.expected())
    tables.drop("e")
    first, second, p = _edges(tables, sql, int(n), affinity)
    near = _table(tables, sql.often_near(in_step.MEETINGS), "u", "w", "near")
    tables.drop("x", "ways", "ex")
    return SweptPairs(affinity, met, int(joined), int(cut), first, second, p, near[:, 0], near[:, 1], near[:, 2])


def _edges(tables: Tables, sql: Statements, n: int, affinity: Affinity) -> tuple[Ints, Ints, Floats]:
    """Pairs with a small p, computed as the rows come: all of them at once would be gigabytes."""
    found: list[tuple[Ints, Ints, Floats]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    cells = len(sql.cells)
    for rows in tables.rows(sql.survivors(n, affinity.shape, affinity.rate)):
        met = np.stack([rows[f"x{k}{j}"] for k, j in sql.cells], 1)
        mu = np.stack([rows[f"mu{k}{j}"] for k, j in sql.cells], 1)
        p = np.minimum(1.0, smallest_p(met, rows["y"], mu, rows["chance"], affinity.shape, affinity.rate) * cells)
        small = p <= sql.policy.weak_p
        found.append((rows["u"][small], rows["w"][small], p[small]))
    first, second, p = (np.concatenate(part) for part in zip(*found, strict=True))
    return first, second, p


def _fitted(tables: Tables, sql: Statements) -> tuple[int, Affinity]:
    """How many pairs met, and the affinity: fitted on the very sample of them that numpy draws."""
    default = Affinity(sql.policy.default_shape, sql.policy.default_rate)
    by_first = _sorted(_table(tables, sql.met_by_first(), "r", "pairs"))
    lone = _sorted(_table(tables, sql.lone(), "far", "bucket", "pairs"))
    several, alone = int(by_first[:, -1].sum()), int(lone[:, -1].sum())
    places = drawn_places(several + alone, sql.policy.fit_sample)
    if len(places) < LEAST_CONTROL:
        return several + alone, default
    chosen = _within(by_first, places[places < several])
    tables.load("chosen", {"r": chosen[:, 0], "place": chosen[:, 1]})
    first = _in_order(chosen, _table(tables, sql.met_at(), "r", "place", "other"))
    chosen = _within(lone, places[places >= several] - several)
    tables.load("chosen", {"far": chosen[:, 0], "bucket": chosen[:, 1], "place": chosen[:, 2]})
    second = _in_order(chosen, _table(tables, sql.lone_at(), "far", "bucket", "place", "r", "other"))
    ends = np.concatenate([first[:, [0, 2]], second[:, [3, 4]]])
    tables.load("drawn", {"place": np.arange(len(ends)), "first": ends[:, 0], "second": ends[:, 1]})
    tables.store("ends", sql.ends())
    tables.store("sampled", sql.sampled())
    [[n]] = _table(tables, sql.count("e"), "n").tolist()
    names = ("place", "d1", "c1", "d2", "c2", "ways", "everywhere")
    rows = _table(tables, sql.controls(), *names, kind=np.float64)
    _, d1, c1, d2, c2, ways, everywhere = rows[np.argsort(rows[:, 0])].T
    tables.drop("chosen", "drawn", "ends", "sampled")
    y = np.maximum(ways - everywhere, 0).astype(np.int64)
    expected = np.maximum(np.maximum(d2 * (c1 / n), d1 * (c2 / n)), 1e-9)
    return several + alone, Affinity(*fit_gamma(y, expected, (default.shape, default.rate)))


def _within(counted: Ints, places: Ints) -> Ints:
    """The parts that these places of the whole lie in, and the place within each. The last column counts the parts."""
    end = np.cumsum(counted[:, -1])
    part = np.searchsorted(end, places, "right")
    return np.column_stack([counted[part, :-1], places - (end - counted[:, -1])[part]])


def _in_order(chosen: Ints, rows: Ints) -> Ints:
    """The rows, which begin with the columns of `chosen`, in the order of those."""
    return _sorted(rows)[np.argsort(np.lexsort(chosen.T[::-1]))]


def _sorted(rows: Ints) -> Ints:
    return rows[np.lexsort(rows.T[::-1])]


def _table(tables: Tables, select: str, *names: str, kind: type = np.int64) -> npt.NDArray[Any]:
    """Everything that a SELECT gives, one column beside the other."""
    parts: list[npt.NDArray[Any]] = [np.empty((0, len(names)), kind)]
    parts += (np.column_stack([rows[name].astype(kind) for name in names]) for rows in tables.rows(select))
    return np.concatenate(parts)
