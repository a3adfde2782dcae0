"""What do a group's targets have in common? Moderators recognise a campaign by its topic.

Each target is a set of features: its author, context and kind, each attribute with its value, the words of its excerpt.
For a feature that k of the group's n targets have, and K of all N targets of the window, the question is how often n
targets drawn from the window would show it k times or more:

    p = P(X >= k),  X ~ Hypergeometric(N, K, n)

Bonferroni, in two steps: the error is divided equally among the kinds of features (author, word, each attribute ...),
and inside a kind among its values that could have been in common, that is, which occur often enough in the window. So
an attribute with two values is not drowned by a vocabulary of thousands, and what is tested is not chosen by the group
itself.

A shared trait is not evidence of coordination and adds nothing to a score: readers of one section also complain about
one section. It describes what a group is about. Its p only says that the targets were not drawn at random from the
window's.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from service.intake.text_words import is_hiragana, shown_words_of, signs_of
from service.model import Evidence
from service.moderation.signals import shared_traits
from workers.detection.arrays import Ints
from workers.detection.rows_by_key import RowsByKey

FEATURES_PER_TARGET = 64
SHINGLES_PER_TARGET = 128  # beside them: two or three overlap in one word
SHOWN = 5
P_LIMIT = 0.01  # after correction
# of the group's targets: three of forty by one author are significant, and do not say what the group is about
LEAST_SHARE = 0.25
LEAST, LEAST_OF_WORD = 2, 3  # of the group's targets; two excerpts share words by their language alone
_IN_TEXTS = ("word", "characters")  # kinds of features that come from the excerpt
# letters: shorter words say little by themselves. Hebrew and Arabic write no vowels, a Korean sign is a syllable
_LEAST_LETTERS, _LEAST_WITHOUT_VOWELS, _LEAST_SYLLABLES = 4, 3, 2
DISTINCT_NUMBERS = 20  # an attribute with more numbers measures something: its single values say nothing
LONGEST_VALUE = 80  # characters; longer attributes are texts of their own, never equal twice
SMALLEST_P = 1e-300

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?\Z")
_FIELDS = {"kind": "kind", "author": "author_id", "context": "context_id"}


def traits_of(target: Mapping[str, Any]) -> frozenset[str]:
    """The features of a complaint's `target`, in the shape of the contract; at most 64, words last, in their order, and
    128 shingles.

    "kind comment", "author a-9", "context article-3", "attribute section = politics", "word refugees". Words have four
    letters or more (in Hebrew and Arabic three, in Korean two) and lower case. Where words are not written apart,
    shingles of two to four signs stand for them (service/intake/text_words.py): "characters 难民".
    """
    found = [f"{name} {target[key]}" for name, key in _FIELDS.items() if target.get(key) is not None]
    for name, value in sorted((target.get("attributes") or {}).items()):
        text = _value(value)
        if len(text) <= LONGEST_VALUE:
            found.append(f"attribute {name} = {text}")
    words, shingles = shown_words_of(target.get("excerpt") or "")
    found.extend(f"word {word}" for word in dict.fromkeys(words) if _is_long(word))
    found[FEATURES_PER_TARGET:] = [
        f"characters {shingle}"
        for shingle in list(dict.fromkeys(shingles))[:SHINGLES_PER_TARGET]
        if len(shingle) >= signs_of(shingle) and not is_hiragana(shingle)
    ]
    return frozenset(map(sys.intern, found))


def _is_long(word: str) -> bool:
    letters = sum(not char.isdecimal() for char in word)
    least = (
        _LEAST_SYLLABLES
        if "\uac00" <= word[0] <= "\ud7a3"
        else _LEAST_WITHOUT_VOWELS
        if "\u0590" <= word[0] <= "\u08ff"
        else _LEAST_LETTERS
    )
    return letters >= least


def _value(value: object) -> str:
    """The same text for a value from JSON (typed) and from CSV (text)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class UsualTraits:
    """How common each feature is among all targets of a window (or a sample of them)."""

    targets: int
    count_by_feature: Mapping[str, int]  # those that occur at least LEAST times
    measures: frozenset[str] = frozenset()  # names of attributes with too many numbers
    values_by_name: Mapping[str, int] = field(init=False)  # name -> values that could be in common

    def __post_init__(self) -> None:
        names = ((name_of(feature), count) for feature, count in self.count_by_feature.items())
        object.__setattr__(
            self,
            "values_by_name",
            Counter(name for name, count in names if count >= least_of(name) and name not in self.measures),
        )


def usual_of(features: Mapping[str, int], targets: int) -> UsualTraits:
    """The base rate from a count of each feature over `targets` targets.

    Raises ValueError if a feature is counted more often than there are targets.
    """
    most = max(features.values(), default=0)
    if most > targets:
        raise ValueError(f"a feature is counted {most} times among {targets} targets: a target has it once at most")
    numbers = Counter(name_of(f) for f in features if _is_number(f))
    return UsualTraits(
        targets,
        {f: n for f, n in features.items() if n >= LEAST},
        frozenset(name for name, n in numbers.items() if n > DISTINCT_NUMBERS),
    )


def name_of(feature: str) -> str:
    """The kind of a feature: "author", "context", "kind", "word", "characters" or "attribute " and its name."""
    head, _, rest = feature.partition(" ")
    return f"attribute {rest.partition(' = ')[0]}" if head == "attribute" else head


def least_of(name: str) -> int:
    """How many of a group's targets must share a feature for it to count as common."""
    return LEAST_OF_WORD if name in _IN_TEXTS else LEAST


def _is_number(feature: str) -> bool:
    return feature.startswith("attribute ") and _NUMBER.match(feature.partition(" = ")[2]) is not None


class TargetTraits(Mapping[int, frozenset[str]]):
    """The features of many targets, four bytes each: a history has a million targets, and most share their words."""

    def __init__(self) -> None:
        self._number_by_feature: dict[str, int] = {}
        self._number_by_numeral: dict[str, int] = {}  # of the features that are numbers, which may come to say nothing
        self._features: list[str] = []
        self._rows = RowsByKey()
        self._numbers = array("I")  # of all rows, one after the other
        self._ends = array("Q", [0])  # row k is _numbers[_ends[k]:_ends[k + 1]]
        # attribute -> its numbers, one more than allowed at most
        self._numerals: dict[str, set[str]] = defaultdict(set)

    def add(self, features: Mapping[int, Collection[str]]) -> None:
        """Take targets' features (see `traits_of`); the first ones of a target stay."""
        targets, found = list(features), list(features.values())
        for position in self._rows.add(targets):
            for feature in found[position]:
                number = self._number_by_feature.get(feature)  # nearly always
                if number is None:
                    number = self._number(feature)
                if number is not None:
                    self._numbers.append(number)
            self._ends.append(len(self._numbers))

    def _says_something(self, feature: str) -> bool:
        seen = self._numerals[name_of(feature)]
        if len(seen) <= DISTINCT_NUMBERS:
            seen.add(feature)
        return len(seen) <= DISTINCT_NUMBERS

    def _number(self, feature: str) -> int | None:
        """The number of a feature; None for one that says nothing."""
        numbers = self._number_by_feature
        if _is_number(feature):
            if not self._says_something(feature):
                return None
            numbers = self._number_by_numeral
        number = numbers.setdefault(feature, len(self._features))
        if number == len(self._features):
            self._features.append(feature)
        return number

    def __getitem__(self, target: int) -> frozenset[str]:
        row = self._rows.get(target)
        if row is None:
            raise KeyError(target)
        return frozenset(self._features[k] for k in self._numbers[self._ends[row] : self._ends[row + 1]])

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def usual(self, targets: Ints) -> UsualTraits:
        """The base rate among `targets` (distinct keys); those that are unknown here are left out."""
        rows = self._rows.rows(targets)
        rows = rows[rows >= 0]
        numbers, ends = np.frombuffer(self._numbers, np.uint32), np.frombuffer(self._ends, np.uint64).astype(np.int64)
        lengths = ends[rows + 1] - ends[rows]
        # Positions of all rows' entries: each row's begin, and 0, 1, 2 ... within it.
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        count = np.bincount(numbers[np.repeat(ends[rows], lengths) + within], minlength=len(self._features))
        common = np.flatnonzero(count >= LEAST)
        measures = frozenset(name for name, seen in self._numerals.items() if len(seen) > DISTINCT_NUMBERS)
        return UsualTraits(
            len(rows),
            {self._features[k]: n for k, n in zip(common.tolist(), count[common].tolist(), strict=True)},
            measures,
        )


def shared_traits_of(
    targets: Iterable[int], traits: Mapping[int, Collection[str]], usual: UsualTraits
) -> tuple[Evidence, ...]:
    """The strongest things that the targets have in common, strongest first: at most five, one a kind, p < .01
    corrected.

    What fewer than a quarter of the targets share is left out. Targets without traits are left out. `usual` may come
    from a sample that misses the group's own targets: they are then counted in, which can only weaken the evidence. The
    order of targets is irrelevant; no contribution to any score.
    """
    known = [traits[t] for t in set(targets) if t in traits]
    total = len(known)
    count_by_feature = Counter(feature for features in known for feature in features)
    features = [
        f
        for f, n in count_by_feature.items()
        if n >= max(least_of(name := name_of(f)), LEAST_SHARE * total) and name not in usual.measures
    ]
    if not features:
        return ()
    names = [name_of(f) for f in features]
    count = np.array([count_by_feature[f] for f in features], np.int64)
    among = np.maximum(count, [usual.count_by_feature.get(f, 0) for f in features])
    everything = np.maximum(usual.targets, among + total - count)
    tests = len(usual.values_by_name.keys() | set(names)) * np.array(
        [max(1, usual.values_by_name.get(name, 0)) for name in names]
    )
    p = hypergeom.sf(count - 1, everything, among, total) * tests
    best: dict[str, tuple[float, float, str, int]] = {}
    for k in np.flatnonzero(p < P_LIMIT).tolist():
        one = max(float(p[k]), SMALLEST_P), float(among[k] / everything[k]), features[k], int(count[k])
        best[names[k]] = min(best.get(names[k], one), one)
    return tuple(
        shared_traits.evidence(name_of(feature).removeprefix("attribute "), feature, shared_by, total, usual_share, p)
        for p, usual_share, feature, shared_by in sorted(best.values())[:SHOWN]
    )
