"""Signatures of texts by number, in two arrays: of a dictionary each process copies what it looks up. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from service.intake.text_fingerprints import SIGNATURE_BYTES
from workers.detection.arrays import Ints


class Signatures(Mapping[int, bytes]):
    """The signatures of texts by distinct numbers, in ascending order: 137 bytes each."""

    def __init__(self, numbers: Ints, signatures: npt.NDArray[np.uint8]) -> None:
        """`signatures`: a row for each of the numbers, which may be in any order."""
        order = np.argsort(numbers)
        self._numbers, self._signatures = numbers[order], signatures[order]

    @classmethod
    def joined(cls, numbers: Ints, signatures: bytes | bytearray) -> Signatures:
        """Of signatures that stand one after the other."""
        return cls(numbers, np.frombuffer(signatures, np.uint8).reshape(len(numbers), SIGNATURE_BYTES))

    @classmethod
    def of(cls, texts: Mapping[int, bytes]) -> Signatures:
        """The same as `texts`."""
        if isinstance(texts, cls):
            return texts
        return cls.joined(np.fromiter(texts, np.int64, len(texts)), b"".join(texts.values()))

    def renumbered(self, new: Ints) -> Signatures:
        """With new numbers by the old ones; those whose new number is negative are left out."""
        numbers = new[self._numbers]
        return Signatures(numbers[numbers >= 0], self._signatures[numbers >= 0])

    def between(self, first: int, last: int) -> dict[int, bytes]:
        """Those of the numbers first..last (half-open)."""
        rows = slice(*np.searchsorted(self._numbers, (first, last)).tolist())
        return dict(zip(self._numbers[rows].tolist(), map(bytes, self._signatures[rows]), strict=True))

    def __getitem__(self, number: int) -> bytes:
        row = int(np.searchsorted(self._numbers, number))
        if row == len(self._numbers) or self._numbers[row] != number:
            raise KeyError(number)
        return bytes(self._signatures[row])

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers.tolist())

    def __len__(self) -> int:
        return len(self._numbers)
