"""Columns as people name them in options, and as sentences name them. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from shlex import quote

from service.errors import Refused
from service.tabular.looks import ColumnLook
from service.tabular.plain_names import normalised
from service.tabular.vocabulary import FIELDS_BY_NAME, SHORT_NAMES, Field

_LONGEST = 80  # characters of a name: what is shown can be copied
_TITLES = {
    "id": "id of the complaint",
    "occurred_at": "time of the complaint",
    "reporter_id": "who reported",
    "target_id": "what was reported",
    "kind": "kind of target",
    "author_id": "author of the target",
    "context_id": "context (thread, article)",
    "context_title": "title of the context",
    "context_url": "address of the context",
    "part_of": "complaint of the same act",
    "text": "text of the complaint",
    "excerpt": "text of the target",
    "account_created_at": "age of the reporter's account",
    "decided_at": "time of the decision",
}


def chosen_columns(header: Sequence[str], options: Mapping[str, str]) -> dict[Field, int]:
    """The columns named with --column, by field. Raises Refused for a field or column that does not exist."""
    found: dict[Field, int] = {}
    for short, name in options.items():
        wanted = FIELDS_BY_NAME.get(short)
        if wanted is None:
            fields = ", ".join(name for name in FIELDS_BY_NAME if name not in SHORT_NAMES.values())
            raise Refused(f"--column {short}={name}: {short!r} is not a field; the fields are {fields}")
        exact = [k for k, column in enumerate(header) if column == name]
        alike = exact or [k for k, column in enumerate(header) if normalised(column) == normalised(name)]
        if len(alike) != 1:
            raise Refused(f"--column {short}={name}: there is no such column; the columns are {listed(header)}")
        found[wanted] = alike[0]
    return found


def short_name(name: Field) -> str:
    """A field as --column takes it."""
    return next((short for short, field in SHORT_NAMES.items() if field == name), name)


def option(name: Field, column: str) -> str:
    """What names a column for a field, as it can be pasted into a shell."""
    return f"--column {quote(f'{short_name(name)}={column}')}"


def quoted(looks: Iterable[ColumnLook]) -> str:
    """The names of columns, for a sentence."""
    return " and ".join(repr(look.name) for look in looks)


def listed(names: Sequence[str], written: Callable[[str], str] = str) -> str:
    """Names, the first of them if there are many."""
    shown = ", ".join(written(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…") for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def what_is(field: str) -> str:
    """What a column that was read as this field holds, for people."""
    return _TITLES.get(field, field.replace("_", " "))
