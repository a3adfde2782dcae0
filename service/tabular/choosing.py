"""Which of several parts of a file has the reports: a list of a document, a file of an archive, a sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from service.errors import Refused

SHOWN = 8
Part = TypeVar("Part")


def chosen_part(
    name: str, what: str, parts: Sequence[tuple[str, Part]], told: str | None, fits: Callable[[Part], bool]
) -> str:
    """The name of the part that is read: the one told, the only one, or the only one that fits.

    Raises Refused, with the option that chooses, where several or none can be read as reports.
    """
    names = [part for part, _ in parts]
    if told is not None:
        if told not in names:
            raise Refused(f"{name} has no part {told!r}: its {what} are {_shown(names)}")
        return told
    if len(parts) == 1:
        return names[0]
    fitting = [part for part, value in parts if fits(value)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and "" in names:  # what is wrong with the whole document is what to say
        return ""
    found = fitting or names
    could = "could each be the reports" if fitting else "are not recognised as reports"
    raise Refused(f"{name} has several {what}: {_shown(found)} {could}. Choose one, for instance --sheet {found[0]!r}")


def _shown(names: Sequence[str]) -> str:
    return ", ".join(repr(n[-60:]) if n else "the whole" for n in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
