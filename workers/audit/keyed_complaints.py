"""Complaints as an audit keeps them: keys for names, in columns of numbers. PURE.

Making keys of names, signatures of texts and features of targets is most of the work of reading a history, and needs
nothing but the complaints at hand: several processes can share it.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from service.intake.text_fingerprints import signature_of, word_count
from service.storage.sql.hashing import key_of, keys_of
from service.tabular.checked_complaints import CheckedComplaints
from workers.detection.target_traits import traits_of
from workers.detection.window import UNKNOWN_MS

# of KeyedComplaints, a value for each row
COLUMNS = ("id", "time_us", "reporter", "target", "context", "author", "created_ms", "fingerprint", "exempt")
MOST_NAMES = 2_000_000  # that a KeyMaker remembers: beyond them it begins again, and hands them out again


def numbers(values: Iterable[int] = ()) -> array[int]:
    """A column of numbers of 64 bits."""
    return array("q", [*values])  # from a list it takes half of the time


@dataclass(slots=True)
class KeyedComplaints:
    """Complaints in the order of the file: a column for each field, and by row what few of them have."""

    id: array[int] = field(default_factory=numbers)
    time_us: array[int] = field(default_factory=numbers)
    reporter: array[int] = field(default_factory=numbers)
    target: array[int] = field(default_factory=numbers)
    context: array[int] = field(default_factory=numbers)
    author: array[int] = field(default_factory=numbers)
    created_ms: array[int] = field(default_factory=numbers)
    fingerprint: array[int] = field(default_factory=numbers)
    exempt: bytearray = field(default_factory=bytearray)
    judged: list[tuple[int, str]] = field(default_factory=list)  # row, id: those that an outcome is about
    part_of: list[tuple[int, int]] = field(default_factory=list)  # row, key of the id of the act
    signatures: list[tuple[int, bytes]] = field(default_factory=list)  # row, of its text
    reporter_names: dict[int, str] = field(default_factory=dict)  # by key: those that were not handed out before
    target_names: dict[int, str] = field(default_factory=dict)
    features: dict[int, Collection[str]] = field(default_factory=dict)  # of the targets in `target_names`

    def __len__(self) -> int:
        return len(self.id)


class KeyByName(dict[str | None, int]):
    """The keys of names, 0 for None. Most names stand in many complaints, and a look into a dictionary is faster than a
    digest.
    """

    def __missing__(self, text: str | None) -> int:
        found = self[text] = 0 if text is None else key_of(text)
        return found


class KeyMaker:
    """Makes keyed complaints of checked ones, and hands out each name once."""

    def __init__(self, text_min_words: int, judged_complaints: Collection[str] = ()) -> None:
        """`judged_complaints`: ids of complaints that outcomes are about."""
        self._min_words, self._judged = text_min_words, judged_complaints
        self._keys, self._reporters, self._targets = KeyByName(), KeyByName(), KeyByName()

    def keyed(self, found: CheckedComplaints) -> KeyedComplaints:
        """The complaints with keys for names."""
        if len(self._keys) + len(self._reporters) + len(self._targets) > MOST_NAMES:
            self._keys, self._reporters, self._targets = KeyByName(), KeyByName(), KeyByName()
        reporter_names = {self._reporters[name]: name for name in {*found.reporters} - self._reporters.keys()}
        target_names, features = dict[int, str](), dict[int, Collection[str]]()
        for row, name in enumerate(found.targets):
            if name not in self._targets:
                key = self._targets[name]
                target_names[key] = name
                features[key] = traits_of(found.content(row))
        made = KeyedComplaints(
            keys_of(found.ids),
            numbers(found.time_us),
            numbers(map(self._reporters.__getitem__, found.reporters)),
            numbers(map(self._targets.__getitem__, found.targets)),
            numbers(map(self._keys.__getitem__, found.contexts)),
            numbers(map(self._keys.__getitem__, found.authors)),
            numbers(UNKNOWN_MS if us is None else us // 1000 for us in found.created_us),
            numbers(map(self._keys.__getitem__, found.fingerprints)),
            bytearray(found.exempt),
            reporter_names=reporter_names,
            target_names=target_names,
            features=features,
        )
        self._note_single_ones(found, made)
        return made

    def _note_single_ones(self, found: CheckedComplaints, made: KeyedComplaints) -> None:
        """What few complaints have: an outcome of their own, an act that they are part of, a text."""
        made.judged = [
            (row, name)
            for row, (name, judged) in enumerate(zip(found.ids, found.judged, strict=True))
            if judged or name in self._judged
        ]
        made.part_of = [(row, key_of(act)) for row, act in enumerate(found.part_of) if act is not None]
        for row, text in enumerate(found.texts):
            signature = signature_of(text) if text else None
            if signature is not None and word_count(signature) >= self._min_words:
                made.signatures.append((row, signature))
