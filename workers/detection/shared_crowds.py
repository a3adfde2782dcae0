"""Targets that draw the same people, in different contexts: seeds of groups whose members each do only a part.

Where each call reaches a tenth or a third of a list, hardly any two members meet often, but any two of the targets
share more people than chance brings to both: with n_i and n_j people each, lambda = n_i n_j sum d_u^2 / N^2, as if
everybody complained at random as much as they do. Two targets are linked if they share a fifth of the larger crowd,
with a Poisson tail below SEED_P; and a link counts if it passes after all pairs tested, or closes a triangle of links.
Only seeds: growth and score decide.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.special import pdtrc

from workers.detection.arrays import Events, Ints
from workers.detection.growth import MemberSet
from workers.detection.pairs import pair_keys
from workers.detection.seeds import in_triangles
from workers.detection.sorted_index import portions
from workers.detection.window import Window

SEED_P, FAMILY_P = 1e-3, 0.01
SMALLEST_CROWD, LARGEST_CROWD = 4, 400  # people on a target; a target that hundreds saw says little about any of them
MOST_COMPLAINTS = 200  # of one reporter; who complains more often meets everybody
SHARED_PEOPLE, SHARED_PART = 3, 0.2  # that two targets have at least in common, of the larger crowd
TARGETS = 3  # that a seed has at least
MEMBER_PART = 0.2  # of a seed's targets, and two at least, that a member complained about
STEPS = 2_000_000  # of comparisons of targets that are made at once: bounds memory, not results
DEVOTION = 0.5  # of a member's complaints that are about them: who reads much meets every crowd


def shared_crowds(window: Window) -> list[MemberSet]:
    """People who make up the crowds of several targets, one set for each part of the targets linked by them."""
    targets, people, row, column = _places(window)
    if not len(row):
        return []
    by_target = sp.csr_matrix((np.ones(len(row), np.int32), (row, column)), shape=(len(targets), len(people)))
    links = _links(window, targets, by_target)
    count, part = sp.csgraph.connected_components(links, directed=False)
    size = np.bincount(part, minlength=count)
    large = size[part[row]] >= TARGETS
    there, times = np.unique(part[row[large]].astype(np.int64) << 32 | column[large], return_counts=True)
    of_part, who = there >> 32, people[there & 0xFFFFFFFF]
    belongs = (times >= np.maximum(2, MEMBER_PART * size[of_part])) & (times >= DEVOTION * window.degree[who])
    ends = np.searchsorted(of_part[belongs], np.flatnonzero(size >= TARGETS), "right")
    return [frozenset(members.tolist()) for members in np.split(who[belongs], ends)[:-1]]


def _places(window: Window) -> tuple[Ints, Ints, Events, Events]:
    """The targets and the people that are looked at, and of each complaint of these about those their places among
    them.
    """
    crowd, degree = window.crowd[: len(window.targets)], window.degree[: len(window.reporters)]
    fit = (crowd >= SMALLEST_CROWD) & (crowd <= LARGEST_CROWD)
    active = (degree >= 2) & (degree <= MOST_COMPLAINTS)
    rows = slice(0, window.size)
    events = np.flatnonzero(fit[window.target[rows]] & active[window.reporter[rows]] & ~window.gone[rows])
    targets, row = _numbered(window.target[events], len(crowd))
    people, column = _numbered(window.reporter[events], len(degree))
    return targets, people, row, column


def _numbered(values: Events, bound: int) -> tuple[Ints, Events]:
    """The distinct values, all below `bound`, and the place of each value among them."""
    there = np.zeros(bound, bool)
    there[values] = True
    return np.flatnonzero(there), (np.cumsum(there, dtype=np.int32) - 1)[values]


def _links(window: Window, targets: Ints, by_target: sp.csr_matrix) -> sp.coo_matrix:
    """The pairs of targets that share more people than chance brings to both."""
    one, two, people = _sharing(window, targets, by_target)
    size = window.crowd[targets].astype(np.int64)
    degree = window.degree[: len(window.reporters)].astype(float)
    chance = size[one] * size[two] * (degree[degree <= MOST_COMPLAINTS] ** 2).sum() / max(window.live, 1) ** 2
    p, tests = pdtrc(people - 1, chance), len(targets) * (len(targets) - 1) / 2
    keys = pair_keys(one.astype(np.int64), two.astype(np.int64))
    linked = (p * tests < FAMILY_P) | np.isin(keys, in_triangles(keys[p < SEED_P]))
    return sp.coo_matrix((people[linked], (one[linked], two[linked])), shape=(len(targets), len(targets)))


def _sharing(window: Window, targets: Ints, by_target: sp.csr_matrix) -> tuple[Ints, Ints, Ints]:
    """The pairs of targets in different contexts that share enough people, and how many these are.

    Some targets at a time are compared with all: most pairs of targets share somebody, and few share enough.
    """
    by_person = by_target.T.tocsr()
    size, place = window.crowd[targets], window.context_of[targets]
    steps = by_target @ np.diff(by_person.indptr).astype(np.int64)
    found = []
    for part in portions(steps, STEPS):
        shared = (by_target[part] @ by_person).tocoo()
        one, two, people = shared.row + part.start, shared.col, shared.data
        enough = (two > one) & (people >= SHARED_PEOPLE) & (place[one] != place[two])
        one, two, people = one[enough], two[enough], people[enough]
        enough = people >= SHARED_PART * np.maximum(size[one], size[two])
        found.append((one[enough], two[enough], people[enough]))
    one, two, people = (np.concatenate(some) for some in zip(*found, strict=True))
    return one, two, people
