"""The names of keys as one text: in a dictionary of millions, each takes two hundred bytes. PURE."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from itertools import accumulate

from workers.detection.arrays import Ints
from workers.detection.rows_by_key import RowsByKey


class Names(Mapping[int, str]):
    """Names by key, in the order in which they were added."""

    def __init__(self) -> None:
        self._rows = RowsByKey()
        self._text = bytearray()  # all names, one after the other, in UTF-8
        self._ends = array("Q", [0])  # row k is _text[_ends[k]:_ends[k + 1]]

    def add(self, names: Mapping[int, str]) -> None:
        """Take the names of keys that have none yet."""
        keys, texts = list(names), list(names.values())
        encoded = [texts[position].encode() for position in self._rows.add(keys)]
        self._ends.extend(
            accumulate(map(len, encoded[1:]), initial=self._ends[-1] + len(encoded[0])) if encoded else ()
        )
        self._text += b"".join(encoded)

    def only(self, keys: Ints) -> Names:
        """The names of the keys alone."""
        left = Names()
        left._rows, left._text, left._ends = self._rows.only(keys), self._text, self._ends
        return left

    def known(self, keys: Ints) -> Ints:
        """Those of the keys that have a name."""
        return keys[self._rows.rows(keys) >= 0]

    def __getitem__(self, key: int) -> str:
        row = self._rows.get(key)
        if row is None:
            raise KeyError(key)
        return self._text[self._ends[row] : self._ends[row + 1]].decode()

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
