"""Identifiers that reveal neither who came first nor who belongs to what."""

from __future__ import annotations

import numpy as np


class Names:
    """Permuted numbers with a prefix each."""

    def __init__(
        self, rng: np.random.Generator, accounts: int, items: int, authors: int, contexts: int, writers: int
    ) -> None:
        """`authors` and `contexts` are the largest numbers in use; authors below `writers` are accounts."""
        self._writers = writers
        self._account, self._item = rng.permutation(accounts), rng.permutation(items)
        self._author, self._context = rng.permutation(authors + 1), rng.permutation(contexts + 1)
        self._key = int(rng.integers(1 << 30, 1 << 40))

    def account(self, number: int) -> str:
        """The id of an account."""
        return f"u{100_000 + 7 * int(self._account[number])}"

    def item(self, number: int) -> str:
        """The id of an item, which complaints are about."""
        return f"i{400_000 + 3 * int(self._item[number])}"

    def author(self, number: int) -> str:
        """The id of an author: the account's where accounts are what writes."""
        if number < self._writers:
            return self.account(number)
        return f"w{10_000 + 13 * int(self._author[number])}"

    def context(self, number: int) -> str:
        """The id of an article, a thread or a page."""
        return f"x{70_000 + 11 * int(self._context[number])}"

    def device(self, number: int) -> str:
        """A fingerprint: the same for the same device or network."""
        return f"fp-{(number * 2_654_435_761 + self._key) % (1 << 44):011x}"
