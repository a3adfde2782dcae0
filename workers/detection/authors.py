"""Groups that follow one author: random subsets of a group complain about the author's texts, so that hardly any two
members meet twice.

x = distinct contexts in which a reporter complained about the author; p_u = P(Bin(d_u, n_author / N) >= x). The
devoted (x >= 2, p_u < 1e-3, at least half of all their complaints) are more than chance brings together when the
Poisson tail of their number, times the number of authors, is below .01. Without the devotion rule every patrol would be
found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, poisson

from workers.detection.growth import MemberSet
from workers.detection.sorted_index import are_in, run_starts
from workers.detection.window import Window

DEVOTED_P, DEVOTION, SMALLEST, ALPHA = 1e-3, 0.5, 5, 0.01


@dataclass(frozen=True, slots=True)
class AuthorGroup:
    """Reporters devoted to one author."""

    members: MemberSet
    surprise: float  # mean -log10 p_u, each at most 12


def author_groups(window: Window) -> list[AuthorGroup]:
    """Authors with more devoted reporters than chance explains."""
    rows = slice(0, window.size)
    known = window.authors.keys != 0
    events = np.flatnonzero(known[window.author[rows]] & ~window.gone[rows]).astype(np.int32)
    if not len(events):
        return []
    author = window.author[events]
    pair = author.astype(np.int64) << 32 | window.reporter[events]
    keys = np.sort(pair)
    keys = keys[~run_starts(keys)]  # of those who complained once about an author, that has one context, nothing
    pairs, total = np.unique(keys, return_counts=True)
    total += 1
    again = are_in(pair, pairs)
    places = np.unique(np.searchsorted(pairs, pair[again]) << 32 | window.context[events[again]])
    contexts = np.bincount(places >> 32, minlength=len(pairs))
    several = contexts >= 2
    pairs, contexts, total = pairs[several], contexts[several], total[several]
    a, r = pairs >> 32, pairs & 0xFFFFFFFF
    size = np.bincount(author, minlength=len(window.authors.keys))
    share = np.minimum(1.0, size[a] / window.live)
    p = binom.sf(contexts - 1, window.degree[r], share)
    devoted = (p < DEVOTED_P) & (total / window.degree[r] >= DEVOTION)
    many, count = np.unique(a[devoted], return_counts=True)
    degrees = np.bincount(window.degree[: len(window.reporters)])
    groups = []
    for writer in many[count >= SMALLEST].tolist():
        theirs = slice(*np.searchsorted(a, [writer, writer + 1]))  # pairs are sorted by author
        mine = np.flatnonzero(devoted[theirs]) + theirs.start
        expected = _expected(degrees, float(size[writer] / window.live))
        if float(poisson.sf(len(mine) - 1, expected)) * int((size > 0).sum()) < ALPHA:
            groups.append(
                AuthorGroup(
                    frozenset(r[mine].tolist()), float(np.mean(np.minimum(12, -np.log10(np.maximum(p[mine], 1e-12)))))
                )
            )
    return groups


def _expected(degrees: np.ndarray[tuple[int], np.dtype[np.int64]], share: float) -> float:
    """The expected number of reporters that are this devoted by chance."""
    total = 0.0
    for degree in np.flatnonzero(degrees)[np.flatnonzero(degrees) >= 2].tolist():
        x = np.arange(max(2, int(np.ceil(DEVOTION * degree))), degree + 1)
        tail = binom.sf(x - 1, degree, share)
        passing = tail[tail < DEVOTED_P]
        total += float(degrees[degree] * passing[0]) if len(passing) else 0.0
    return total
