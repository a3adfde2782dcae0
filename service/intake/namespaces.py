"""Namespaces: they keep the ids of several installations in one tenant apart. PURE.

Two forums number their flags, posts and accounts alike. An id under the namespace `forum2` is `forum2:id`, wherever it
comes from: a source with that namespace, or a request with `?namespace=forum2`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from typing import Any, TypeVar

from service.fields import ID_CHARACTERS, is_id
from service.model import Frozen, JsonObject

NAMESPACE_PATTERN = "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
NAMESPACE_SYNTAX = "1 to 32 lowercase letters, digits and hyphens, without a hyphen at either end, such as forum2"
_NAMESPACE = re.compile(NAMESPACE_PATTERN)
_HASH_DIGITS = 32
# Where a complaint, an outcome or a withdrawal has ids.
_IDS = frozenset({"id", "complaint_id", "part_of", "retracts", "target_id"})
_IDS_OF_PARTS = {"reporter": frozenset({"id"}), "target": frozenset({"id", "author_id", "context_id"})}
_Item = TypeVar("_Item", bound=Frozen)


def is_namespace(text: str) -> bool:
    """Whether the text may be a namespace."""
    return _NAMESPACE.fullmatch(text) is not None


def prefixed(namespace: str | None, identity: str) -> str:
    """The id under the namespace (None: as it is), hashed at the end if it would be too long."""
    if namespace is None:
        return identity
    whole = f"{namespace}:{identity}"
    if len(whole) <= ID_CHARACTERS:
        return whole
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{whole[: ID_CHARACTERS - _HASH_DIGITS - 1]}~{digest}"


def document_under(namespace: str | None, document: JsonObject, id_attributes: Collection[str] = ()) -> JsonObject:
    """An item's document with its ids under the namespace; `id_attributes` names the target's attributes that are ids.

    What cannot be an id is left for the check of the item.
    """
    if namespace is None:
        return document
    made = _under(namespace, document, _IDS)
    for name, ids in _IDS_OF_PARTS.items():
        if isinstance(made.get(name), dict):
            made[name] = _under(namespace, made[name], ids)
    target = made.get("target")
    if id_attributes and isinstance(target, dict) and isinstance(target.get("attributes"), dict):
        target["attributes"] = _under(namespace, target["attributes"], id_attributes)
    return made


def item_under(namespace: str | None, item: _Item) -> _Item:
    """The same for an item that was checked."""
    if namespace is None:
        return item
    return type(item).model_validate(document_under(namespace, item.model_dump(exclude_none=True)))


def _under(namespace: str, part: JsonObject, ids: Collection[str]) -> JsonObject:
    return {name: _id_under(namespace, value) if name in ids else value for name, value in part.items()}


def _id_under(namespace: str, value: Any) -> Any:
    return prefixed(namespace, value) if isinstance(value, str) and is_id(value) else value
