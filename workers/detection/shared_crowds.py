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

from workers.detection.arrays import Ints
from workers.detection.growth import MemberSet
from workers.detection.pairs import pair_keys
from workers.detection.seeds import in_triangles
from workers.detection.window import Window

SEED_P, FAMILY_P = 1e-3, 0.01
SMALLEST_CROWD, LARGEST_CROWD = 4, 400  # people on a target; a target that hundreds saw says little about any of them
MOST_COMPLAINTS = 200  # of one reporter; who complains more often meets everybody
SHARED_PEOPLE, SHARED_PART = 3, 0.2  # that two targets have at least in common, of the larger crowd
TARGETS = 3  # that a seed has at least
MEMBER_PART = 0.2  # of a seed's targets, and two at least, that a member complained about
DEVOTION = 0.5  # of a member's complaints that are about them: who reads much meets every crowd


def shared_crowds(window: Window) -> list[MemberSet]:
    """People who make up the crowds of several targets, one set for each part of the targets linked by them."""
    events = np.flatnonzero(~window.gone[: window.size])
    target, reporter = window.target[events].astype(np.int64), window.reporter[events].astype(np.int64)
    crowd = window.crowd[: len(window.targets)]
    fit = (crowd >= SMALLEST_CROWD) & (crowd <= LARGEST_CROWD)
    keep = fit[target] & (window.degree[reporter] <= MOST_COMPLAINTS) & (window.degree[reporter] >= 2)
    if not keep.any():
        return []
    targets, row = np.unique(target[keep], return_inverse=True)
    people, column = np.unique(reporter[keep], return_inverse=True)
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


def _links(window: Window, targets: Ints, by_target: sp.csr_matrix) -> sp.coo_matrix:
    """The pairs of targets that share more people than chance brings to both."""
    shared = sp.triu(by_target @ by_target.T, 1).tocoo()
    one, two, people = shared.row, shared.col, shared.data
    size = window.crowd[targets].astype(np.int64)
    apart = window.context_of[targets][one] != window.context_of[targets][two]
    enough = (people >= SHARED_PEOPLE) & (people >= SHARED_PART * np.maximum(size[one], size[two])) & apart
    one, two, people = one[enough], two[enough], people[enough]
    degree = window.degree[: len(window.reporters)].astype(float)
    chance = size[one] * size[two] * (degree[degree <= MOST_COMPLAINTS] ** 2).sum() / max(window.live, 1) ** 2
    p, tests = pdtrc(people - 1, chance), len(targets) * (len(targets) - 1) / 2
    keys = pair_keys(one.astype(np.int64), two.astype(np.int64))
    linked = (p * tests < FAMILY_P) | np.isin(keys, in_triangles(keys[p < SEED_P]))
    return sp.coo_matrix((people[linked], (one[linked], two[linked])), shape=(len(targets), len(targets)))
