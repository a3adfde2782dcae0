"""How many complaints each target of a history has. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from workers.detection.arrays import Ints


class Totals(Mapping[int, int]):
    """The number of complaints by target, in arrays: few targets are ever asked about, and those are remembered."""

    def __init__(self, targets: Ints) -> None:
        """`targets`: of each complaint."""
        self._targets, self.counts = np.unique(targets, return_counts=True)
        self._asked: dict[int, int] = {}

    def __getitem__(self, target: int) -> int:
        found = self._asked.get(target)
        if found is None:
            place = int(np.searchsorted(self._targets, target))
            if place == len(self._targets) or self._targets[place] != target:
                raise KeyError(target)
            found = self._asked[target] = int(self.counts[place])
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._targets.tolist())

    def __len__(self) -> int:
        return len(self._targets)
