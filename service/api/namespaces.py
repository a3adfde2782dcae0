"""The query parameter `namespace`: ids in a request as the platform has them, under the namespace that keeps them
apart.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request

from service.api.problems import Invalid
from service.api.raw_path import segment
from service.intake.namespaces import NAMESPACE_PATTERN, NAMESPACE_SYNTAX, is_namespace, prefixed
from service.model import RejectedItem

NAMESPACE_PARAMETER: dict[str, Any] = {
    "name": "namespace",
    "in": "query",
    "required": False,
    "description": (
        "The namespace of the source that the ids are from: `forum2` makes `forum2:31` of every id 31 in the path or"
        " the body. Ids in the answer are as they are kept. Default: ids are taken as they are, with or without a"
        " namespace."
    ),
    "schema": {"type": "string", "pattern": f"^{NAMESPACE_PATTERN}$"},
    "example": "forum2",
}


def requested_namespace(request: Request) -> str | None:
    """The namespace in the query, None without one. Raises Invalid."""
    given = request.query_params.get("namespace")
    if given is None or is_namespace(given):
        return given
    raise invalid_namespace(f"namespace is {given[:40]!r}; expected {NAMESPACE_SYNTAX}")


def invalid_namespace(detail: str) -> Invalid:
    """What is raised for a namespace that cannot be taken."""
    return Invalid(detail, [RejectedItem(detail=detail, pointer="/namespace")])


def requested_id(request: Request) -> str:
    """The id in the path, under the requested namespace. Raises Invalid for an invalid id or namespace."""
    identity = segment(request, "id")
    return prefixed(requested_namespace(request), identity)
