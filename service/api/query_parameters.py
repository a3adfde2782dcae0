"""Query parameters that a call does not take are refused: 422, naming the nearest one that it takes. So is a NUL in the
value of one: no text that is stored contains any, and not every database takes one in a question.

What a call takes is what its OpenAPI operation declares, so documentation and check cannot differ. The check runs where
callers prove themselves (auth.py, webhook_auth.py): 401 and 403 come first, and no route repeats it. Platforms'
webhooks are not checked, since what a foreign platform appends to the path is not ours to choose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.requests import Request

from service.api.problems import Invalid
from service.fields import is_storable
from service.intake.pointers import pointer_of
from service.model import RejectedItem

_ECHOED_CHARACTERS = 40
LISTED_FAULTS = 20  # a query has room for thousands of names
# How alike two names have to be (difflib): `knid` and `kind` are at 0.75, `page` and `target` at 0.6.
_SIMILARITY = 2 / 3
# By method and path: whether each declared parameter may be repeated. All apps of a process have the same routes.
_declared: dict[tuple[str, str], dict[str, bool]] = {}


def check_query(request: Request) -> None:
    """Raises Invalid for a parameter that the operation does not declare, that is repeated and may not be, or that
    contains a NUL.
    """
    if not request.scope.get("query_string"):
        return
    declared = declared_parameters(request.scope["route"], request.method)
    items = request.query_params.multi_items()
    given, unstorable = Counter(name for name, _ in items), {name for name, value in items if not is_storable(value)}
    wrong = [
        (name, times)
        for name, times in given.items()
        if name not in declared or (times > 1 and not declared[name]) or name in unstorable
    ]
    if not wrong:
        return
    errors = [
        RejectedItem(detail=_fault(name, times, declared), pointer=pointer_of([name]))
        for name, times in wrong[:LISTED_FAULTS]
    ]
    raise Invalid(errors[0].detail, errors, len(wrong))


def declared_parameters(route: Any, method: str) -> Mapping[str, bool]:
    """The query parameters of the route's OpenAPI operation, in its order: name, and whether it may be repeated."""
    known = _declared.get((method, route.path_format))
    if known is None:
        # This one route, once: some milliseconds, where the whole document would hold up other requests for longer.
        made = get_openapi(title="one operation", version="1", routes=[route])
        operation = made["paths"][route.path_format][method.lower()]
        known = _declared[method, route.path_format] = {
            parameter["name"]: _is_list(parameter["schema"])
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        }
    return known


def _is_list(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" or any(_is_list(one) for one in schema.get("anyOf", ()))


def _fault(name: str, times: int, declared: Mapping[str, bool]) -> str:
    shown = repr(name if len(name) <= _ECHOED_CHARACTERS else name[:_ECHOED_CHARACTERS] + "…")
    if name in declared and times > 1 and not declared[name]:
        return f"query parameter {shown} is given {times} times; expected once"
    if name in declared:
        return f"query parameter {shown} contains a character that no text may (NUL)"
    if not declared:
        return f"unknown query parameter {shown}: this call takes no query parameters"
    lowered = {one.lower(): one for one in declared}
    nearest = get_close_matches(name[:_ECHOED_CHARACTERS].lower(), lowered, n=1, cutoff=_SIMILARITY)
    question = f": did you mean {lowered[nearest[0]]!r}?" if nearest else ""
    return f"unknown query parameter {shown}{question} (known: {', '.join(declared)})"
