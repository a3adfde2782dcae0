"""Signing in with an organisation's provider: the way there, the way back, and logouts that the provider announces.

A tenant with its own provider has its own redirect address, so that an answer of one provider cannot be taken for
another's. What an attempt consists of lies sealed in a cookie of the browser that began it.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from service import logs
from service.api.api_context import api_context, metrics_sink
from service.console import sign_in
from service.console.browser_words import browser_words
from service.console.client_address import address_of
from service.console.cookies import drop_cookie, own_base, read_sealed, set_sealed
from service.console.formatting import sentence
from service.console.hashing import TOO_BUSY, TooBusy
from service.console.provider_sign_out import directory_of, send_to
from service.console.rendering import flash
from service.console.sign_in import MOST_TO_SEAL, SECURITY, Viewer, safe_path
from service.console.steps import (
    NewSession,
    SecondStep,
    has_proof,
    known_from_now_on,
    leave_earlier_session,
    let_in,
    mark_of,
    to_second_step,
)
from service.errors import BrigadewatchError, Refused
from service.model import microseconds
from service.single_sign_on.exchange import ProvenSignIn, SignInRequest, authorization_url, logout_of, redeem
from service.single_sign_on.failures import ProviderFailure, ProviderUnreachable
from service.storage.accounts import audit_log, identities, second_factors, users
from service.storage.accounts.identity_providers import (
    ALL_TENANTS,
    IdentityProvider,
    provider_for,
    read_provider,
    tenant_number,
)
from service.storage.accounts.sso_sessions import open_sso_session
from service.storage.sql import deadlines
from service.storage.sql.engine import write

HERE = "/console/sign-in/sso"
COOKIE = "brigadewatch-sso"
COOKIE_SECONDS = 600
_AT_ONCE = 8  # requests to providers; each may take some seconds
_WAITING = 40
_SHORT_ID_TOKEN = 16_384  # what a session keeps
_ANSWER_NAMES = ("code", "state", "iss", "error", "error_description")
_Result = TypeVar("_Result")
log = logging.getLogger(__name__)
router = APIRouter()


@dataclass(frozen=True, slots=True)
class SsoPlace:
    """A tenant and the provider that its people sign in with."""

    tenant_id: int
    tenant: str
    provider: IdentityProvider


class ProviderTurns:
    """Runs a few requests to providers at a time: anybody who opens a page causes one."""

    def __init__(self) -> None:
        self._turns, self._threads = anyio.CapacityLimiter(_AT_ONCE), anyio.CapacityLimiter(_AT_ONCE)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """The result of `work`, on a thread. Raises TooBusy, also once a quarter of the time to answer has passed."""
        if self._turns.statistics().tasks_waiting >= _WAITING:
            raise TooBusy
        try:
            with anyio.fail_after(deadlines.left() / 4):
                await self._turns.acquire_on_behalf_of(turn := object())
        except TimeoutError:
            raise TooBusy from None
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._turns.release_on_behalf_of(turn)


def redirect_uri(request: Request, provider: IdentityProvider, tenant: str) -> str:
    """The address that has to be registered at the provider."""
    return f"{own_base(request)}{HERE}/callback" + ("" if provider.for_all else f"/{tenant}")


@router.get("/sign-in/sso")
async def begin(request: Request, tenant: str = "", next: str = "") -> Response:
    """Send the browser to the provider of this tenant."""
    place = await run_in_threadpool(_place, request, tenant.strip())
    if place is None:
        text = "This tenant does not sign in with single sign-on. Use a password, or check the tenant’s name."
        return await _form(request, text, 404, tenant=tenant, next=next)
    return await _send(request, place, {"next": safe_path(next, most=MOST_TO_SEAL)})


@router.post("/security/connect")
async def connect(request: Request, person: Viewer) -> Response:
    """Send a signed-in person to the provider, to sign in with it from now on."""
    place = await run_in_threadpool(_place, request, person.tenant)
    if place is None or person.session.via != "password" or not has_proof(request, person):
        return RedirectResponse(SECURITY, 303)
    return await _send(request, place, {"connect": person.session.hash}, prompt="login")


@router.get("/sign-in/sso/callback")
async def come_back(request: Request) -> Response:
    """The answer of the provider of all tenants."""
    return await _come_back(request, None)


@router.get("/sign-in/sso/callback/{tenant}")
async def come_back_to(request: Request, tenant: str) -> Response:
    """The answer of a tenant's own provider."""
    return await _come_back(request, tenant)


@router.post("/sign-in/sso/logout")
async def logged_out(request: Request, logout_token: Annotated[str, Form(max_length=40_000)] = "") -> Response:
    """Back-channel logout of the provider of all tenants."""
    return await _logged_out(request, None, logout_token)


@router.post("/sign-in/sso/logout/{tenant}")
async def logged_out_of(
    request: Request, tenant: str, logout_token: Annotated[str, Form(max_length=40_000)] = ""
) -> Response:
    """Back-channel logout of a tenant's own provider."""
    return await _logged_out(request, tenant, logout_token)


async def _send(request: Request, place: SsoPlace, remembered: dict[str, Any], **more: str) -> Response:
    provider, attempt = place.provider, SignInRequest.fresh()
    back = redirect_uri(request, provider, place.tenant)
    try:
        metadata = await turns(request).run(lambda: directory_of(request).metadata(provider.issuer))
    except TooBusy:
        return await _form(request, TOO_BUSY, 503)
    except ProviderFailure as error:
        return await _failed(request, place, error)
    url = authorization_url(metadata, provider, attempt, back, **more)
    label = provider.label

    def page() -> Response:
        answer = send_to(
            request, url, title=f"To {label}", text=f"{label} confirms who you are.", link=f"Continue to {label}"
        )
        values = {**remembered, **asdict(attempt), "tenant": place.tenant, "own": not provider.for_all}
        set_sealed(request, answer, COOKIE, {**values, "issuer": provider.issuer, "back": back}, COOKIE_SECONDS)
        return answer

    return await run_in_threadpool(page)


async def _come_back(request: Request, tenant: str | None) -> Response:
    begun = read_sealed(request, COOKIE)
    query = request.query_params
    answer = {name: query[name] for name in _ANSWER_NAMES if name in query}
    repeated = any(len(query.getlist(name)) > 1 for name in _ANSWER_NAMES)
    if (
        begun is None
        or repeated
        or begun["own"] != (tenant is not None)
        or (tenant is not None and tenant != begun["tenant"])
        or not hmac.compare_digest(answer.get("state", "").encode(), begun["state"].encode())
    ):
        _count(request, "sso-refused")
        text = "This sign-in was begun in another browser, was already used, or took longer than 10 minutes. Try again."
        return await _form(request, text, 400)
    place = await run_in_threadpool(_place, request, begun["tenant"])
    if place is None or place.provider.issuer != begun["issuer"]:
        return await _form(request, identities.PROVIDER_CHANGED, 409)
    if "code" not in answer:
        why = f"({answer.get('error', 'no reason')[:80]}) {answer.get('error_description', '')[:200]}".strip()
        _count(request, "sso-refused")
        return await _form(request, f"{place.provider.label} did not sign you in {why}.", 403, tenant=place.tenant)
    attempt = SignInRequest(begun["state"], begun["nonce"], begun["verifier"])
    api = api_context(request)

    def work() -> ProvenSignIn:
        sealed = place.provider.client_secret
        return redeem(
            directory_of(request),
            place.provider,
            None if sealed is None else api.box.open(sealed),
            attempt,
            answer,
            redirect_uri=begun["back"],
            tenant=place.tenant,
            now=microseconds(api.now()) // 1_000_000,
        )

    try:
        proven = await turns(request).run(work)
    except TooBusy:
        return await _form(request, TOO_BUSY, 503)
    except BrigadewatchError as error:
        return await _failed(request, place, error)
    if "connect" in begun:
        return await run_in_threadpool(_connect, request, place, proven, begun["connect"])
    return await run_in_threadpool(_let_in, request, place, proven, begun.get("next", ""))


def _let_in(request: Request, place: SsoPlace, proven: ProvenSignIn, next: str) -> Response:
    api, provider = api_context(request), place.provider
    now_us, seconds = microseconds(api.now()), provider.session_hours * 3_600
    id_token = api.box.seal(proven.id_token) if len(proven.id_token) <= _SHORT_ID_TOKEN else None
    begun: NewSession | None = None
    with write(api.engine) as connection:
        admission = identities.admit(connection, place.tenant_id, provider, proven.identity, now_us=now_us)
        user = admission.user
        if user is not None:
            if provider.second_factor and second_factors.status_of(connection, user.id).any:
                ground = identities.ground_of_sign_in(connection, user.tenant_id, user.id)
                mark = mark_of(ground or "")
                step = SecondStep(user.id, user.tenant_id, mark, "sso", seconds, proven.provider_session)
                _count(request, "second-step")
                answer = to_second_step(request, step, next)
                drop_cookie(request, answer, COOKIE)
                return answer
            leave_earlier_session(request, connection)
            token = open_sso_session(
                connection,
                user.id,
                address_of(request),
                now_us,
                browser=browser_words(request.headers.get("user-agent", "")),
                seconds=seconds,
                provider_session=proven.provider_session,
                id_token_secret=id_token,
            )
            if token is not None:
                begun = known_from_now_on(request, connection, user.id, token, now_us)
    if begun is None:
        _count(request, "sso-refused")
        answer = sign_in.show_form(
            request, tenant=place.tenant, status=403, message=admission.refusal or "Your account here is disabled."
        )
    else:
        _count(request, "signed-in")
        answer = let_in(request, begun, safe_path(next), seconds)
    drop_cookie(request, answer, COOKIE)
    return answer


def _connect(request: Request, place: SsoPlace, proven: ProvenSignIn, session_hash: str) -> Response:
    """Give the account of the session that asked for it to this identity, and sign in with that."""
    person = sign_in.person_of_request(request)
    answer: Response = RedirectResponse(SECURITY, 303, {"Cache-Control": "no-store"})
    drop_cookie(request, answer, COOKIE)
    if person is None or person.session.hash != session_hash or person.tenant_id != place.tenant_id:
        return answer
    try:
        with write(api_context(request).engine) as connection:
            user = users.read_user(connection, person.tenant_id, person.user_id)
            now_us = microseconds(api_context(request).now())
            identities.connect(connection, user, place.provider, proven.identity, now_us=now_us)
    except Refused as error:
        flash(request, person, sentence(error), "bad")
        return answer
    return _let_in(request, place, proven, SECURITY)


async def _logged_out(request: Request, tenant: str | None, logout_token: str) -> Response:
    """200 if the token is genuine, whether or not anybody was signed in (OpenID Connect Back-Channel Logout 2.8)."""
    api = api_context(request)
    provider, number = await run_in_threadpool(_own_provider, request, tenant)
    if provider is None or not logout_token:
        return Response(status_code=400)
    now_us = microseconds(api.now())
    try:
        subject, session = await turns(request).run(
            lambda: logout_of(directory_of(request), provider, logout_token, now=now_us // 1_000_000)
        )
    except TooBusy:
        return Response(status_code=503, headers={"Retry-After": "5"})
    except ProviderFailure as error:
        log.warning("refused a logout token: %s", error)
        return Response(status_code=503 if isinstance(error, ProviderUnreachable) else 400)

    def end() -> int:
        with write(api.engine) as connection:
            ended = identities.end_provider_sessions(
                connection, number, provider.issuer, subject=subject, provider_session=session
            )
            if ended and number is not None:
                audit_log.enter(
                    connection,
                    number,
                    actor="sso",
                    action="sign-out",
                    subject="tenant",
                    now_us=now_us,
                    detail={"sessions": ended},
                )
            return ended

    logs.note(ended=await run_in_threadpool(end))
    return Response(status_code=200)


async def _failed(request: Request, place: SsoPlace, error: BrigadewatchError) -> Response:
    _count(request, "sso-failed")
    log.warning("single sign-on of tenant %s failed: %s", place.tenant, error)
    detail = "" if isinstance(error, ProviderUnreachable) or not isinstance(error, ProviderFailure) else f" {error!s}."
    text = (
        f"Signing in with {place.provider.label} did not work.{detail} Try again in a minute; the service’s log and"
        " Settings › Sign-in, “Test the connection”, show the reason. Admins with a password can sign in with it."
    )
    return await _form(request, text, 502, tenant=place.tenant)


async def _form(request: Request, message: str, status: int, tenant: str = "", next: str = "") -> Response:
    def page() -> Response:
        answer = sign_in.show_form(request, tenant=tenant, next=next, status=status, message=message)
        drop_cookie(request, answer, COOKIE)
        return answer

    return await run_in_threadpool(page)


def _place(request: Request, tenant: str) -> SsoPlace | None:
    with api_context(request).engine.connect() as connection:
        number = tenant_number(connection, tenant)
        provider = None if number is None else provider_for(connection, number)
    return None if number is None or provider is None else SsoPlace(number, tenant, provider)


def _own_provider(request: Request, tenant: str | None) -> tuple[IdentityProvider | None, int | None]:
    """The provider of this tenant alone, with its number; for None the one of all."""
    with api_context(request).engine.connect() as connection:
        number = ALL_TENANTS if tenant is None else tenant_number(connection, tenant)
        provider = None if number is None else read_provider(connection, number)
    return provider, number or None


def turns(request: Request) -> ProviderTurns:
    """The app's turns at providers."""
    found: ProviderTurns = request.app.state.provider_turns
    return found


def _count(request: Request, result: str) -> None:
    metrics_sink(request).signed_in(result)
    logs.note(sign_in=result)
