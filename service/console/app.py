"""The console as a separate application below /console, with HTML error pages, its own headers and limits."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Form, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from service.api import problems
from service.api.api_context import ApiContext, api_context
from service.api.raw_path import decoded_path
from service.console import (
    bulk,
    campaigns,
    case,
    charts,
    decisions,
    exports,
    kept_page,
    list_files,
    mail,
    mentions,
    misuse,
    note_templates,
    oidc_sign_in,
    operations,
    overview,
    password,
    patrol_proposals,
    placing,
    queue,
    reporters,
    reset_link,
    restorations,
    saved_filters,
    search,
    second_step,
    security_page,
    settings,
    shift,
    sign_in,
    sse,
    static_files,
    tagging,
    targets,
    time_zone,
    your_sessions,
)
from service.console.hashing import Hashing
from service.console.kept_forms import ShowKept, page_of
from service.console.person import Person, Theme
from service.console.rendering import render, see_other, wants_fragment
from service.console.security_middleware import SecurityMiddleware
from service.console.settings import list_files as list_files_of_admins
from service.console.shares import add_shares, few_requests
from service.console.sign_in import (
    HOME,
    PASSWORD,
    SECURITY,
    NewPasswordFirst,
    SecondFactorFirst,
    SignInFirst,
    Viewer,
    sign_in_path,
)
from service.errors import BrigadewatchError, StoreUnavailable
from service.single_sign_on.provider import ProviderDirectory
from service.storage.accounts import users
from service.storage.sql.engine import write

log = logging.getLogger(__name__)

# One router per subject. A path parameter is an ID, decoded from one path segment.
PAGES = (
    queue.router,
    bulk.router,
    list_files.router,
    list_files_of_admins.router,
    case.router,
    note_templates.router,
    patrol_proposals.router,
    tagging.router,
    placing.router,
    saved_filters.router,
    charts.router,
    exports.router,
    sse.router,
    kept_page.router,
    decisions.router,
    mentions.router,
    search.router,
    targets.router,
    reporters.router,
    misuse.router,
    restorations.router,
    campaigns.router,
    overview.router,
    shift.router,
    settings.router,
    operations.router,
    time_zone.router,
    your_sessions.router,
)


def add_console(app: FastAPI, api: ApiContext) -> None:
    """Mount the console below /console of the API's app."""
    console = FastAPI(
        title="brigadewatch console", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    console.state = app.state  # shared, including what is set later (the metrics sink)
    console.state.api, console.state.hashing = api, Hashing()
    add_shares(console)
    app.state.live = console.state.live = sse.CaseEvents(api.engine, lambda: api.now())
    console.include_router(static_files.router)
    console.state.providers = ProviderDirectory(api.settings)
    console.state.provider_turns = oidc_sign_in.ProviderTurns()
    for each in (sign_in, oidc_sign_in, second_step, reset_link, password, security_page, mail):
        console.include_router(each.router)
    for router in PAGES:
        console.include_router(router, dependencies=[Depends(decoded_path), Depends(few_requests)])
    console.add_api_route("/preferences", set_preferences, methods=["POST"])
    console.state.routed = {route.path for router in PAGES for route in router.routes if isinstance(route, Route)}
    _answer_failures(console)
    app.add_api_route("/", _home, include_in_schema=False)
    app.add_api_route("/console", _home, include_in_schema=False)
    app.add_api_route("/console/", _home, include_in_schema=False)
    app.mount("/console", SecurityMiddleware(console))  # outermost, so that error pages get the headers too


async def _home() -> Response:
    return RedirectResponse(HOME, 303)


def set_preferences(
    request: Request,
    person: Viewer,
    theme: Annotated[Theme | None, Form()] = None,
    keys: Annotated[Literal["on", "off"] | None, Form()] = None,
    back: Annotated[str, Form()] = "",
) -> Response:
    """Save the person's theme and shortcut preference with their account."""
    changed = {
        name: value
        for name, value in (("theme", theme), ("keys", None if keys is None else keys == "on"))
        if value is not None
    }
    with write(api_context(request).engine) as connection:
        users.set_preferences(connection, person.user_id, **changed)
    if wants_fragment(request):
        return Response(status_code=204)
    return see_other(request, sign_in.safe_path(back))


def _answer_failures(console: FastAPI) -> None:
    for kind, _ in problems.STATUS_BY_FAILURE:
        console.add_exception_handler(kind, _failure_page)
    for kind in (BrigadewatchError, HTTPException, RequestValidationError, Exception):
        console.add_exception_handler(kind, _failure_page)
    console.add_exception_handler(SignInFirst, _to_sign_in)
    console.add_exception_handler(ShowKept, _to_kept_form)
    console.add_exception_handler(NewPasswordFirst, _to_new_password)
    console.add_exception_handler(SecondFactorFirst, _to_second_factor)


async def _to_sign_in(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, SignInFirst)
    there = sign_in_path(failure.path)
    if _wants_json(request):
        return problems.problem(401, "sign in first", headers={"Cache-Control": "no-store"})
    if request.headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": there, "Cache-Control": "no-store"})
    return RedirectResponse(there, 303, {"Cache-Control": "no-store"})


async def _to_kept_form(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, ShowKept)
    return see_other(request, failure.path)


async def _to_new_password(request: Request, failure: Exception) -> Response:
    if _wants_json(request):
        return problems.problem(403, "choose your own password first", headers={"Cache-Control": "no-store"})
    return see_other(request, PASSWORD)


def late_page(request: Request, failure: StoreUnavailable) -> ASGIApp:
    """The answer to a request for a page whose time is over (service/api/deadline.py). It asks the database nothing."""
    return SecurityMiddleware(_page_of_failure(request, failure, None))


async def _to_second_factor(request: Request, failure: Exception) -> Response:
    if _wants_json(request):
        return problems.problem(403, "set up a second factor first", headers={"Cache-Control": "no-store"})
    return see_other(request, SECURITY)


def _failure_page(request: Request, failure: Exception) -> Response:
    """An error as a page, as a message at the top of the page (htmx), or as problem+json (scripts)."""
    return _page_of_failure(request, failure, getattr(request.state, "person", None))


def _page_of_failure(request: Request, failure: Exception, person: Person | None) -> Response:
    status, text = _status_and_text(request, failure)
    if status == 405 and request.method == "GET" and not _wants_json(request):
        return see_other(request, page_of(request))  # a form's address, typed or reloaded
    if _wants_json(request):
        return problems.answer_to(failure) if isinstance(failure, BrigadewatchError) else problems.problem(status, text)
    title = HTTPStatus(status).phrase
    headers = dict(getattr(failure, "headers", None) or {})
    if request.headers.get("hx-request") == "true":
        headers |= {"HX-Retarget": "#messages", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
    return render(
        request, person, "error.html", fragment="failure", status=status, headers=headers, title=title, text=text
    )


def _status_and_text(request: Request, failure: Exception) -> tuple[int, str]:
    if isinstance(failure, HTTPException):
        plain = failure.detail == HTTPStatus(failure.status_code).phrase
        words = {404: "Page not found.", 405: "This action is not available here."}
        return failure.status_code, words.get(failure.status_code, failure.detail) if plain else str(failure.detail)
    if isinstance(failure, RequestValidationError):
        errors = [
            f"{'.'.join(str(part) for part in error['loc'][1:]) or 'form'}:"
            f" {str(error['msg']).removeprefix('Value error, ')}"
            for error in list(failure.errors())[:5]
        ]
        return 422, "; ".join(errors) or "The form is invalid."
    if isinstance(failure, BrigadewatchError):
        status = (
            422
            if getattr(failure, "pointer", None)
            else next((status for kind, status in problems.STATUS_BY_FAILURE if isinstance(failure, kind)), 500)
        )
        return status, str(failure)
    if any(isinstance(failure, kind) for kind, _ in problems.STATUS_BY_FAILURE):
        log.warning("the console could not respond: %s", failure)
        return 503, f"The database is not responding. {_what_changed(failure)}"
    log.error("unexpected failure", exc_info=failure)  # the request's own line, of the same id, names the route
    return 500, "An unexpected error occurred and was logged. Your input was not saved."


def _what_changed(failure: Exception) -> str:
    if problems.may_have_changed(failure):
        return "Your change may have been saved all the same: look before you try again."
    return "Nothing was changed; try again in a few seconds."


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted
