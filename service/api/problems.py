"""Failures as application/problem+json (RFC 9457), with one table from expected failures to statuses."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from service import logs
from service.errors import (
    BrigadewatchError,
    InvalidCursor,
    LostLease,
    NotFound,
    Overloaded,
    Refused,
    StaleVersion,
    StoreUnavailable,
    TooMany,
    UnknownTenant,
)
from service.intake.documents import UnreadableDocument
from service.intake.pointers import message_of, pointer_of
from service.model import ItemNote, RejectedItem
from service.storage.sql.deadlines import DeadlinePassed, OutcomeUnknown, current

MEDIA_TYPE = "application/problem+json"
UNAVAILABLE_RETRY_SECONDS = 2
NOTHING_CHANGED = "nothing was changed in it; try again after Retry-After"
UNKNOWN = (
    "whether the change is stored is not known: look before you try again (complaints, outcomes and withdrawals can"
    " always be sent again)"
)
_log = logging.getLogger(__name__)


class Invalid(BrigadewatchError):
    """Nothing in the request is valid; `errors` says what is wrong where."""

    def __init__(self, message: str, errors: Sequence[RejectedItem], rejected_count: int | None = None) -> None:
        super().__init__(message)
        self.errors = errors
        self.rejected_count = len(errors) if rejected_count is None else rejected_count


# The most specific class first: the first match decides.
STATUS_BY_FAILURE: tuple[tuple[type[Exception], int], ...] = (
    (Invalid, 422),
    (UnreadableDocument, 400),
    (TooMany, 413),
    (InvalidCursor, 400),
    (NotFound, 404),
    (UnknownTenant, 404),
    (StaleVersion, 409),
    (Refused, 409),  # valid, but not in the current state; 422 if it names a field (`pointer`)
    (Overloaded, 429),
    (StoreUnavailable, 503),
    (LostLease, 503),
    (OperationalError, 503),
    (InterfaceError, 503),
    (PoolTimeout, 503),
)


def problem(
    status: int,
    detail: str,
    *,
    errors: Iterable[RejectedItem] = (),
    rejected_count: int | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """A problem as an HTTP answer."""
    listed = [item_json(item) for item in errors]
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
        "errors": listed,
    }
    request_id = logs.current_id()
    if request_id is not None:
        body["request_id"] = request_id
    if listed or rejected_count is not None:
        body["rejected_count"] = len(listed) if rejected_count is None else rejected_count
    return Response(to_json(body), status, headers, MEDIA_TYPE)


def item_json(item: RejectedItem | ItemNote) -> dict[str, Any]:
    """A refused item, or a note, as JSON: `line` only if there are lines, `id` null if it could not be read."""
    line = {} if item.line is None else {"line": item.line}
    return {**line, "id": item.id, "detail": item.detail, "pointer": item.pointer}


def answer_to(failure: Exception) -> Response:
    """The answer for an expected failure. Raises the failure itself if the table does not list it."""
    status = next((status for kind, status in STATUS_BY_FAILURE if isinstance(failure, kind)), None)
    if status is None:
        raise failure
    if isinstance(failure, Invalid):
        return problem(status, str(failure), errors=failure.errors, rejected_count=failure.rejected_count)
    if isinstance(failure, StaleVersion):
        return problem(status, str(failure), current_version=failure.current_version, changed_by=failure.changed_by)
    if isinstance(failure, Overloaded):
        logs.note(cause=failure.cause)
        return problem(status, str(failure), headers=_rate_headers(failure))
    if status == 503:
        _log.warning("unavailable: %s", failure)
        detail = str(failure) if isinstance(failure, BrigadewatchError) else _database_detail(failure)
        return problem(status, detail, headers={"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)})
    pointer = getattr(failure, "pointer", None)
    if pointer is not None:
        return problem(422, str(failure), errors=[RejectedItem(detail=str(failure), pointer=pointer)])
    return problem(status, str(failure))


def may_have_changed(failure: Exception) -> bool:
    """Whether a request that failed with this may have changed something: its commit was not confirmed, or another one
    before was.
    """
    deadline = current()
    return isinstance(failure, OutcomeUnknown) or (deadline is not None and deadline.commits > 0)


def _database_detail(failure: Exception) -> str:
    what = "not finished in time" if isinstance(failure, DeadlinePassed) else "the database does not answer"
    return f"{what}; {UNKNOWN if may_have_changed(failure) else NOTHING_CHANGED}"


def install(app: FastAPI) -> None:
    """Make the app answer every failure as a problem."""
    for kind, _ in STATUS_BY_FAILURE:
        app.add_exception_handler(kind, _expected)
    app.add_exception_handler(BrigadewatchError, _expected)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, failure: Exception) -> Response:
    return answer_to(failure)


async def _http(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    detail, headers = failure.detail, failure.headers
    if failure.status_code == 404 and detail == HTTPStatus(404).phrase:
        detail = "no such path; GET /openapi.json lists all paths"
    elif failure.status_code == 405:
        allowed = ", ".join(_methods_here(request))
        detail, headers = (
            f"{request.method} is not allowed for this path; allowed: {allowed or 'none'}",
            {"Allow": allowed},
        )
    return problem(failure.status_code, str(detail), headers=headers)


def _methods_here(request: Request) -> list[str]:
    """The methods of all routes with this path; the router names only those of the first."""
    routes = request.app.routes
    allowed = [
        method
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return [*allowed, "HEAD"] if "GET" in allowed else allowed


async def _validation(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, RequestValidationError)
    errors = []
    for error in list(failure.errors())[:100]:
        location = list(error["loc"])
        place, rest = (location[0], location[1:]) if location else ("", [])
        readable = [] if error["type"] == "json_invalid" else rest
        errors.append(
            RejectedItem(
                detail=message_of(str(error["type"]), str(error["msg"]), location),
                pointer=pointer_of(readable) if place in ("body", "query", "path", "header") else "",
            )
        )
    first = errors[0] if errors else RejectedItem(detail="the request is not valid", pointer="")
    return problem(
        422,
        f"{first.pointer.lstrip('/') or 'the request'}: {first.detail}",
        errors=errors,
        rejected_count=len(failure.errors()),
    )


async def _gone(request: Request, failure: Exception) -> Response:
    # It is never read; the status is for the log and the metrics.
    return problem(
        getattr(request.state, "cut", None) or 400,
        "the connection was closed before the request was complete",
    )


async def _unexpected(request: Request, failure: Exception) -> Response:
    _log.error("unexpected failure", exc_info=failure)  # the access log's line with the same id names the route
    return problem(
        500,
        "internal error; it was logged under the id in X-Request-ID. Try again: items without a 202 may not be stored",
        headers={"X-Request-ID": logs.current_id() or "none"},
    )


def _rate_headers(failure: Overloaded) -> dict[str, str]:
    """Retry-After, and the headers of draft-ietf-httpapi-ratelimit-headers."""
    policy, quota = getattr(failure, "policy", "backlog"), getattr(failure, "quota", None)
    wait = max(1, failure.retry_after_seconds)
    headers = {"Retry-After": str(wait), "RateLimit": f'"{policy}";r=0;t={wait}'}
    headers["RateLimit-Policy"] = f'"{policy}";q={quota};w=1' if quota is not None else f'"{policy}";q=1;w={wait}'
    return headers
