"""Which of several parts of a file has the reports: a list of a document, a file of an archive, a sheet."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from service.tabular.lists import Found, places_inside
from service.tabular.refusals import UnclearParts

SHOWN = 8
_CALLED = re.compile(
    r"report|flag|complain|\bfil(?:ed|ings)\b|meldung|beschwerde|denuncia|signalement|segnalazion|notice|abuse|жалоб|通報|举报|신고",
    re.IGNORECASE,
)
Part = TypeVar("Part")


def chosen_part(
    name: str,
    what: str,
    parts: Sequence[tuple[str, Part]],
    told: str | None,
    fits: Callable[[Part], bool],
    *,
    by_name: bool = True,
) -> str:
    """The name of the part that is read: the one told, the only one, or the only one that fits.

    Of several that fit, the one that is called reports, `by_name`.

    Raises Refused, with the option that chooses, where several or none can be read as reports.
    """
    names = [part for part, _ in parts]
    if told is not None:
        if told not in names:
            raise UnclearParts(f"{name} has no part {told!r}: its {what} are {_shown(names)}", [told, *_ends(names)])
        return told
    if len(parts) == 1:
        return names[0]
    fitting = [part for part, value in parts if fits(value)]
    called = [part for part in fitting if by_name and _CALLED.search(part)]
    if len(called) == 1:
        return called[0]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and "" in names:  # what is wrong with the whole document is what to say
        return ""
    found = fitting or names
    could = "could each be the reports" if fitting else "are not recognised as reports"
    said = f"{name} has several {what}: {_shown(found)} {could}. Choose one, for instance --sheet {found[0]!r}"
    raise UnclearParts(said, [found[0], *_ends(found)])


def chosen_list(
    name: str,
    found: Sequence[Found],
    told: str | None,
    fits: Callable[[Sequence[Any], str | None], bool],
    *,
    by_name: bool,
) -> tuple[str, str | None, list[str]]:
    """Where the list of reports stands, where in each of its objects if it is inside, and lists inside not chosen.

    `fits` takes objects and the place of a list in each of them, None for the objects themselves. Raises Refused.
    """
    parts: dict[str, tuple[str, str | None]] = {place: (place, None) for place, _ in found}
    inner = {f"{place}.{at}".lstrip("."): (place, at) for place, objects in found for at in places_inside(objects)}
    objects_at = dict(found)

    def fit(part: tuple[str, str | None]) -> bool:
        # Posts hold votes and histories as well: only a list that is called reports is taken, `by_name`.
        return fits(objects_at[part[0]], part[1]) and (
            part[1] is None or not by_name or _CALLED.search(part[1]) is not None
        )

    if inner and (told is not None or not any(map(fit, parts.values()))):
        parts = {**inner, **parts}
    place, inside = parts[chosen_part(name, "lists", list(parts.items()), told, fit)]
    return place, inside, list(inner) if inside is None else []


def only_note(what: str, chosen: str, names: Sequence[str]) -> list[str]:
    """What to say of the parts that are not read."""
    others = [name for name in names if name != chosen]
    return [f"only the {what} {chosen!r} is read, not {_shown(others)}"] if others else []


def _shown(names: Sequence[str]) -> str:
    return ", ".join(repr(n) if n else "the whole" for n in _ends(names)) + (", …" if len(names) > SHOWN else "")


def _ends(names: Sequence[str]) -> list[str]:
    return [name[-60:] for name in names[:SHOWN]]
