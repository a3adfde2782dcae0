"""A target's text, author and address, and its article or thread, as the platform described them in complaints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection

from service.storage.sql.engine import select_by_keys
from service.storage.sql.hashing import key_of


@dataclass(frozen=True, slots=True)
class TargetWords:
    """What is known of a target; None where no complaint gave it. All of it is untrusted text."""

    excerpt: str | None = None
    author_id: str | None = None
    url: str | None = None
    context_id: str | None = None
    context_title: str | None = None
    context_url: str | None = None

    @classmethod
    def of(cls, target: Mapping[str, Any]) -> TargetWords:
        """What one complaint's `target` says."""
        return cls(*described_as(target))

    def filled(self, other: TargetWords) -> TargetWords:
        """With the other's values where this has none."""
        return TargetWords(*(getattr(self, name) or getattr(other, name) for name in _NAMES))

    @property
    def context(self) -> str | None:
        """What tells its article or thread from others; None: it has none, as an account."""
        return self.context_id or self.context_url or self.context_title


_NAMES = tuple(field.name for field in fields(TargetWords))
UNKNOWN = TargetWords()


def described_as(target: Mapping[str, Any]) -> tuple[str | None, ...]:
    """The values of TargetWords that one complaint's `target` gives."""
    return tuple([target.get(name) or None for name in _NAMES])


def words_of(connection: Connection, tenant_id: int, target_ids: Sequence[str]) -> dict[str, TargetWords]:
    """By target; targets without complaints are left out.

    One complaint of each is read, since platforms describe a target the same way each time; a second one where the
    first does not say all, since they may have begun to later.
    """
    found = dict(_described(connection, tenant_id, target_ids, "ASC"))
    incomplete = [name for name, words in found.items() if not (words.excerpt and words.url and words.context_title)]
    for name, words in _described(connection, tenant_id, incomplete, "DESC"):
        found[name] = found[name].filled(words)
    return found


def example_of(described: Iterable[TargetWords]) -> TargetWords | None:
    """One target that stands for several: with an excerpt, if possible in the article or thread that most are in."""
    all_of_them = list(described)
    count = Counter(words.context for words in all_of_them if words.context)
    best = max(all_of_them, key=lambda words: (count[words.context or ""], bool(words.excerpt)), default=None)
    if best is None or not best.context:
        return best
    # the title may be in some of the complaints alone
    for words in all_of_them:
        if words.context == best.context:
            best = best.filled(TargetWords(context_title=words.context_title, context_url=words.context_url))
    return best


def _described(
    connection: Connection, tenant_id: int, target_ids: Sequence[str], order: str
) -> Iterator[tuple[str, TargetWords]]:
    statement = (
        "SELECT c.content FROM k CROSS JOIN complaints c WHERE c.row_key = (SELECT one.row_key FROM complaints one"
        f" WHERE one.tenant_id = ? AND one.target_key = k.column1 ORDER BY one.reporter_key {order} LIMIT 1)"
    )
    keys = [(key_of(one),) for one in dict.fromkeys(target_ids)]
    for (content,) in select_by_keys(connection, statement, (tenant_id,), keys):
        target = from_json(content)["target"]
        yield target["id"], TargetWords.of(target)
