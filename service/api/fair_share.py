"""Places of a process, shared so that nobody takes them all. PURE, for one event loop or under a lock of the caller.

Somebody (a person, a session, a key) has a bound of their own. A tenant may take a place while it holds fewer than are
free: alone it gets half of them, two get a third each, and what is left is there for the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable


class FairShare:
    """`places` in all, at most `of_one` of them for one holder."""

    def __init__(self, places: int, of_one: int | None = None) -> None:
        self.places, self.of_one = places, places if of_one is None else of_one
        self._by_tenant: Counter[Hashable] = Counter()
        self._by_one: Counter[Hashable] = Counter()
        self._taken = 0

    def __len__(self) -> int:
        return self._taken

    def has_room(self, tenant: Hashable, one: Hashable) -> bool:
        """Whether this holder of this tenant may take a place now."""
        free = self.places - self._taken
        return self._by_tenant[tenant] < free and self._by_one[one] < self.of_one

    def take(self, tenant: Hashable, one: Hashable) -> bool:
        """Take a place, if there is room for them; each has to be given back."""
        if not self.has_room(tenant, one):
            return False
        self._taken += 1
        self._by_tenant[tenant] += 1
        self._by_one[one] += 1
        return True

    def give_back(self, tenant: Hashable, one: Hashable) -> None:
        """Give a place back that was taken for the same."""
        self._taken -= 1
        for held, name in ((self._by_tenant, tenant), (self._by_one, one)):
            held[name] -= 1
            if held[name] <= 0:
                del held[name]
