"""The generic platform: whatever posts JSON, read by a field map (field_map.py). PURE."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from service.fields import REASON_CHARACTERS, TEXT_CHARACTERS, TITLE_CHARACTERS
from service.intake.documents import MAX_LINES
from service.intake.items import COMPLAINT, MACHINE_COMPLAINT, OUTCOME
from service.model import JsonObject
from service.platforms.field_map import ACCOUNT_TIME, ATTRIBUTES, IDS, FieldMap, Shape, read_mapping, read_signature
from service.platforms.items import Item, link, words
from service.platforms.json_paths import Work
from service.platforms.payload import Payload, Unusable, identity, records
from service.platforms.platform import Platform
from service.platforms.unix_times import BadTime

_CUT: dict[str, Callable[[object], str | None]] = {
    "reason": lambda value: words(value, REASON_CHARACTERS),
    "target.kind": lambda value: words(value, REASON_CHARACTERS),
    "target.context_title": lambda value: words(value, TITLE_CHARACTERS),
    "target.context_url": link,
    "target.url": link,
    "text": lambda value: words(value, TEXT_CHARACTERS),
    "target.excerpt": lambda value: words(value, TEXT_CHARACTERS),
}


def read(document: object, fields: FieldMap) -> Payload:
    """The items in one document.

    Raises Unusable if a document without a mapping is not valid, and if one with a mapping takes too much work.
    """
    if not fields.shapes:
        return _plain(document)
    work = Work()
    items = [document] if fields.items is None else fields.items.values(document, work)
    delivery = Payload()
    seen = passed_over = without_account_time = 0
    for item in items:
        seen += 1
        shape = next((shape for shape in fields.shapes if shape.fits(item, document, work)), None)
        if shape is None or not isinstance(item, (dict, list)):
            passed_over += 1
            continue
        made, complete = _made(shape, item, document, work)
        delivery.items.append(made)
        without_account_time += not complete
        if len(delivery.items) > MAX_LINES:
            break  # it is refused as a whole
    if passed_over or not seen:
        delivery.notes.append(
            f"ignored: {passed_over} of {seen} elements match neither 'complaint' nor 'outcome' of the mapping"
        )
    if without_account_time:
        delivery.notes.append(
            f"{ACCOUNT_TIME} of {without_account_time} of {seen} elements is not a time in the unit of the mapping, and"
            " was left out"
        )
    return delivery


def _plain(document: object) -> Payload:
    """Complaints and outcomes of the API; outcomes are those with `target_id`."""
    elements = document if isinstance(document, list) else [document]
    found = records(elements)
    if len(found) < len(elements):
        raise Unusable("expected a complaint or an outcome as a JSON object, or an array of them")
    return Payload([Item(OUTCOME if "target_id" in element else COMPLAINT, element) for element in found])


def _made(shape: Shape, item: object, document: object, work: Work) -> tuple[Item, bool]:
    """The item, and False if the time of the reporter's account could not be read: it is optional."""
    made: JsonObject = {}
    machine, fault, complete = False, None, True
    for name, place in shape.fields.items():
        try:
            value = place.value(item, document, work)
        except BadTime as error:
            if name == ACCOUNT_TIME:
                complete = False
            else:
                fault = fault or (str(error), f"/{name}")
            continue
        if name in IDS:
            value = identity(value)
        elif name in _CUT:
            value = _CUT[name](value)
        value = _bounded(value)
        if value is None:
            continue
        if name == "machine":
            machine = value is True
        elif name.startswith(ATTRIBUTES):
            made.setdefault("target", {}).setdefault("attributes", {})[name.removeprefix(ATTRIBUTES)] = value
        elif "." in name:
            outer, _, inner = name.partition(".")
            made.setdefault(outer, {})[inner] = value
        else:
            made[name] = value
    return Item(MACHINE_COMPLAINT if machine and shape.noun is COMPLAINT else shape.noun, made, fault=fault), complete


def _bounded(value: Any) -> Any:
    """The value, as something that is checked quickly: the same megabytes may be every item's field.

    A text too long for every field stays too long, and is refused as that; so is an array or an object, which no field
    may be.
    """
    if isinstance(value, str):
        return value[: TEXT_CHARACTERS + 1]
    return type(value)() if isinstance(value, (dict, list)) else value


@lru_cache(maxsize=256)
def _compiled(mapping: str | None) -> FieldMap:
    return read_mapping(None if mapping is None else json.loads(mapping))


def _checked(mapping: Mapping[str, Any] | None) -> FieldMap:
    return _compiled(None if mapping is None else json.dumps(mapping))


PLATFORM = Platform(
    name="generic",
    words="any platform that sends JSON, with a field map",
    read=lambda document, _now, mapping: read(document, _checked(mapping)),
    scheme=read_signature,
    check=_checked,
)
