"""Which articles and threads a case is about, and how many of its targets are in each. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.console.formatting import web_address
from service.storage.complaints.target_content import TargetWords

SHOWN = 3


@dataclass(frozen=True, slots=True)
class CaseContext:
    """One article or thread."""

    name: str  # its title, or its id or address where no complaint gave one; untrusted
    titled: bool
    link: str | None
    targets: int
    other_titles: int  # that complaints gave it before


@dataclass(frozen=True, slots=True)
class CaseContexts:
    """Those with most targets first."""

    by_target: Mapping[int, CaseContext]  # by the target's key; without targets that are in none
    shown: tuple[CaseContext, ...]
    left_out: int
    described: int  # targets of which a complaint is still stored


def described_targets(complaints: Iterable[tuple[int, TargetWords]]) -> dict[int, TargetWords]:
    """What is known of each target, from (target key, words) by time: its words from the earliest complaint that has
    them, title and address of its article or thread from the latest.
    """
    found: dict[int, TargetWords] = {}
    for key, words in complaints:
        known = found.get(key)
        found[key] = words if known is None else _context_of(words).filled(known).filled(words)
    return found


def contexts_of(complaints: Iterable[tuple[int, TargetWords]]) -> CaseContexts:
    """The contexts, from (target key, words) by time; the latest title of each counts."""
    latest: dict[str, TargetWords] = {}
    titles: dict[str, set[str]] = {}
    context_of_target: dict[int, str] = {}
    described: set[int] = set()
    for key, words in complaints:
        described.add(key)
        if words.context is None:
            continue
        context_of_target[key] = words.context
        latest[words.context] = _context_of(words).filled(latest.get(words.context, TargetWords()))
        if words.context_title:
            titles.setdefault(words.context, set()).add(words.context_title)
    members: dict[str, list[int]] = {}
    for key, context in context_of_target.items():
        members.setdefault(context, []).append(key)
    order = sorted(members, key=lambda context: (-len(members[context]), context))
    made = {
        context: CaseContext(
            latest[context].context_title or context,
            latest[context].context_title is not None,
            web_address(latest[context].context_url),
            len(members[context]),
            max(0, len(titles.get(context, ())) - 1),
        )
        for context in order
    }
    return CaseContexts(
        {key: made[context] for key, context in context_of_target.items()},
        tuple(made[context] for context in order[:SHOWN]),
        max(0, len(order) - SHOWN),
        len(described),
    )


def _context_of(words: TargetWords) -> TargetWords:
    return TargetWords(context_id=words.context_id, context_title=words.context_title, context_url=words.context_url)
