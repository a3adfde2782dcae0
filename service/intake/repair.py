"""What cannot be used of an item's optional fields: it is cut or unknown, with a note, and the item is taken. PURE.

A text is cut. Anything else is unknown as a whole: a cut id, address or attribute would be another one. Required fields
and unknown ones are not touched; nor is any field of an outcome, where leaving one out would change what was decided.
Runs only for items that are not valid as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from service.fields import (
    ATTRIBUTE_CHARACTERS,
    ATTRIBUTE_NAME_CHARACTERS,
    EARLIEST_ACCOUNT,
    MAX_ATTRIBUTES,
    REASON_CHARACTERS,
    TEXT_CHARACTERS,
    TITLE_CHARACTERS,
    Attribute,
)
from service.intake.pointers import first_error, pointer_of
from service.model import Complaint, ItemNote, JsonObject, NoticeType, Reporter, Target

ATTRIBUTES = "/target/attributes"  # pointer to them
LOOKED_THROUGH = 1_000  # of them, in one item
# Nothing else that was sent is repeated in a note: it may be somebody's name.
_LIKE_A_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[0-9TtZz:.,+ -]{0,30}\Z")
_ATTRIBUTE: TypeAdapter[Any] = TypeAdapter(Attribute)


@dataclass(frozen=True, slots=True)
class _Field:
    """One optional field: how it is checked, and what can be made of a value that fails (None: unknown)."""

    within: str  # the object that it is a field of; empty: the complaint
    name: str
    check: TypeAdapter[Any]
    made_of: Callable[[object], object]

    @property
    def pointer(self) -> str:
        return pointer_of([part for part in (self.within, self.name) if part])


def repaired(value: object) -> tuple[JsonObject, list[ItemNote]] | None:
    """The complaint without what cannot be used of its optional fields, and notes without line and id. None: there is
    nothing to repair.
    """
    if not isinstance(value, dict):
        return None
    made = dict(value)
    notes: list[ItemNote] = []
    changed = False
    for within in ("reporter", "target"):
        if isinstance(made.get(within), dict):
            made[within] = dict(made[within])
    for field in _FIELDS:
        holder = made.get(field.within) if field.within else made
        if not isinstance(holder, dict) or field.name not in holder:
            continue
        found = holder[field.name]
        try:
            field.check.validate_python(found)
            continue
        except ValidationError as error:
            fault, _ = first_error(error)
        changed = True
        if field.name == "attributes":
            holder[field.name] = _usable_attributes(found, notes)
            continue
        holder[field.name] = field.made_of(found)
        if holder[field.name] is None:
            del holder[field.name]
        if found is not None:
            notes.append(
                ItemNote(pointer=field.pointer, detail=_what_became(field, found, holder.get(field.name), fault))
            )
    return (made, notes) if changed else None


def implausible_age(created: datetime, occurred: datetime, leeway: timedelta) -> str | None:
    """Why the time at which an account was made says nothing; None: it may be true.

    The zero of a language, a database or a spreadsheet means that the time is not known, and no account complains
    before it exists.
    """
    if created < EARLIEST_ACCOUNT:
        return f"unknown: {created.isoformat()} is before {EARLIEST_ACCOUNT.year}"
    if created > occurred + leeway:
        return f"unknown: {created.isoformat()} is later than the complaint"
    return None


def _usable_attributes(found: object, notes: list[ItemNote]) -> dict[str, Any] | None:
    """The first attributes by name that can be used, so that their order in the document does not matter."""
    if not isinstance(found, dict):
        notes.append(ItemNote(pointer=ATTRIBUTES, detail=f"unknown: expected a JSON object, found {_shown(found)}"))
        return None
    if len(found) > LOOKED_THROUGH:
        notes.append(
            ItemNote(
                pointer=ATTRIBUTES,
                detail=f"unknown: {len(found)} attributes; at most {LOOKED_THROUGH} are looked through",
            )
        )
        return None
    usable = {}
    for name in sorted(found):
        fault = _fault_of_attribute(name, found[name])
        if fault is None and found[name] is not None:
            usable[name] = found[name]
        elif fault is not None:
            notes.append(ItemNote(pointer=pointer_of(["target", "attributes", name]), detail=f"left out: {fault}"))
    if len(usable) > MAX_ATTRIBUTES:
        notes.append(
            ItemNote(
                pointer=ATTRIBUTES, detail=f"{len(usable)} attributes: the first {MAX_ATTRIBUTES} by name are kept"
            )
        )
    return dict(list(usable.items())[:MAX_ATTRIBUTES])


def _fault_of_attribute(name: str, value: object) -> str | None:
    if not 0 < len(name) <= ATTRIBUTE_NAME_CHARACTERS:
        return f"its name has {len(name)} characters, not 1 to {ATTRIBUTE_NAME_CHARACTERS}"
    if value is None:
        return None
    try:
        name.encode()
        _ATTRIBUTE.validate_python(value)
    except UnicodeEncodeError:
        return "its name is not valid Unicode"
    except ValidationError:
        return f"expected a number, a boolean or at most {ATTRIBUTE_CHARACTERS} characters, found {_shown(value)}"
    return None


def _what_became(field: _Field, found: object, made: object, fault: str) -> str:
    if field.name == "trusted":
        return f"false: expected true or false, found {_shown(found)}"
    if made is None:
        return f"unknown: {fault}; found {_shown(found)}"
    if isinstance(made, str) and isinstance(found, str) and len(made) < len(found):
        return f"cut from {len(found)} to {len(made)} characters"
    return f"read as {made!r}" if made in get_args(NoticeType) else f"changed: {fault}"


def _shown(value: object) -> str:
    if isinstance(value, str) and value:
        return repr(value) if _LIKE_A_TIME.match(value) else f"a text of length {len(value)}"
    kinds: tuple[tuple[type, str], ...] = (
        (str, "an empty text"),
        (bool, "a boolean"),
        (dict, "an object"),
        (list, "an array"),
        (type(None), "null"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "a number")


def _unknown(_value: object) -> None:
    return None


def _cut(limit: int) -> Callable[[object], object]:
    def cut(value: object) -> object:
        if not isinstance(value, str):
            return None
        return value[:limit].encode("utf-8", "replace").decode() or None  # a lone surrogate becomes a question mark

    return cut


def _notice_type(value: object) -> object:
    """A notice of illegal content always counts, so its type is recognised in any spelling of the two words."""
    word = re.sub("[ -]", "_", value.strip().lower()) if isinstance(value, str) and len(value) <= 40 else None
    return word if word in get_args(NoticeType) else None


def _fields(model: type[BaseModel], within: str, made_of: dict[str, Callable[[object], object]]) -> Iterable[_Field]:
    """The optional fields of a model, with the checks that the model itself has."""
    for name, field in model.model_fields.items():
        if not field.is_required():
            annotated: Any = Annotated[field.annotation, field]
            check: TypeAdapter[Any] = TypeAdapter(annotated, config=ConfigDict(strict=True))
            yield _Field(within, name, check, made_of.get(name, _unknown))


_FIELDS = (
    *_fields(Reporter, "reporter", {}),
    *_fields(
        Target,
        "target",
        {
            "kind": _cut(REASON_CHARACTERS),
            "context_title": _cut(TITLE_CHARACTERS),
            "excerpt": _cut(TEXT_CHARACTERS),
        },
    ),
    *_fields(
        Complaint,
        "",
        {"reason": _cut(REASON_CHARACTERS), "text": _cut(TEXT_CHARACTERS), "notice_type": _notice_type},
    ),
)
