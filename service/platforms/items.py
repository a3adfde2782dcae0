"""One complaint or outcome that an adapter made, as a document that has not been checked yet. PURE.

Texts are cut to the permitted length; ids never, since a shortened id could be another item's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.fields import TEXT_CHARACTERS, is_id
from service.intake.items import COMPLAINT, MACHINE_COMPLAINT, OUTCOME, Amended, CheckedItem, Noun, read_value
from service.intake.namespaces import document_under
from service.intake.privacy_filter import PrivacyFilter
from service.model import JsonObject, RejectedItem

LARGEST_NUMBER = 2**63 - 1  # of a platform's numeric ids
_KEYED = ("id", "part_of")  # ids of complaints, where they tell the reporter


@dataclass(frozen=True, slots=True)
class Item:
    """A document and its kind; MACHINE_COMPLAINT if no person complained: archived, in no count and no cluster."""

    noun: Noun
    document: JsonObject
    # The id was derived from the reporter's: it is stored under the tenant's key, or ids could be tried against it.
    id_tells_reporter: bool = False
    # Attributes of the target whose values are ids of the platform too.
    id_attributes: tuple[str, ...] = ()
    fault: tuple[str, str] | None = None  # why it is refused and a pointer to where, if its adapter knows it best

    @property
    def id(self) -> str:
        """Its idempotency key, as the platform (or the adapter) made it."""
        return str(self.document["id"])

    @property
    def is_outcome(self) -> bool:
        """Whether it is an outcome; otherwise it is a complaint."""
        return self.noun is OUTCOME

    def under(self, namespace: str | None) -> Item:
        """The same item with all its ids under the source's namespace; None: as they are."""
        if namespace is None:
            return self
        return replace(self, document=document_under(namespace, self.document, self.id_attributes))

    def read(
        self, now: datetime, privacy_filter: PrivacyFilter, number: int | None = None
    ) -> CheckedItem | Amended | RejectedItem:
        """The checked item, or why it is refused; `number` is only passed on to notes and the refusal."""
        document = self.document
        if self.fault is not None:
            detail, pointer = self.fault
            name = document.get("id")
            readable = name if isinstance(name, str) and is_id(name) else None
            return RejectedItem(line=number, id=readable, detail=detail, pointer=pointer)
        if self.id_tells_reporter:
            keyed = {n: privacy_filter.derived(document[n]) for n in _KEYED if isinstance(document.get(n), str)}
            document = {**document, **keyed}
        return read_value(document, self.noun, now, number)


def complaint(
    *,
    id: str | None,
    occurred_at: datetime | None,
    reporter: Mapping[str, Any],
    target: Mapping[str, Any],
    machine: bool = False,
    id_tells_reporter: bool = False,
    id_attributes: tuple[str, ...] = (),
    **rest: Any,
) -> Item:
    """A complaint without the fields that are None."""
    document = known(
        {"id": id, "occurred_at": occurred_at, "reporter": known(reporter), "target": known(target), **rest}
    )
    return Item(MACHINE_COMPLAINT if machine else COMPLAINT, document, id_tells_reporter, id_attributes)


def outcome(*, id: str | None, target_id: str | None, decided_at: datetime | None, **rest: Any) -> Item:
    """An outcome without the fields that are None."""
    return Item(OUTCOME, known({"id": id, "target_id": target_id, "decided_at": decided_at, **rest}))


def known(fields: Mapping[str, Any]) -> JsonObject:
    """Without the fields that are None."""
    return {name: value for name, value in fields.items() if value is not None}


def words(value: object, limit: int = TEXT_CHARACTERS) -> str | None:
    """A text cut to the permitted length, without lone surrogates and NUL; None for an empty one, and for anything
    else.
    """
    if not isinstance(value, str):
        return None
    return value[:limit].encode("utf-8", "replace").decode().replace("\x00", " ").strip() or None


def link(value: object) -> str | None:
    """An address, if it is short enough to be stored whole; a cut one would lead elsewhere."""
    text = words(value, TEXT_CHARACTERS + 1)
    return text if text is not None and len(text) <= TEXT_CHARACTERS else None
