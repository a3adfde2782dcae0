"""Public tables that cannot serve, whatever their columns are taken for. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.tabular.plain_names import normalised


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A public table that cannot serve, whatever its columns are taken for."""

    columns: frozenset[str]
    why: str


UNSUITABLE = (
    KnownTable(
        frozenset(("bug_id", "product", "component")),
        "this is a list of bugs: each row is another bug, and nobody is complained about",
    ),
    KnownTable(
        frozenset(("decision_visibility", "decision_ground", "platform_name")),
        "these are statements of reasons from the DSA Transparency Database: they say what a platform decided, but not"
        " who notified it, and without reporters there is nothing to compare",
    ),
    KnownTable(
        frozenset(("mod", "action", "target_author")),
        "this is a moderation log of Reddit: it says what moderators did, but not who reported, and without reporters"
        " there is nothing to compare",
    ),
)


def unsuitable(header: Sequence[str]) -> str | None:
    """Why a table with these columns cannot serve; None if nothing is known against it."""
    names = {normalised(name) for name in header}
    return next((known.why for known in UNSUITABLE if known.columns <= names), None)
