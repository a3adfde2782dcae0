"""Sign-in: the tenant's identity provider, a test of the connection, and the rules for passwords."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, get_args

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.cookies import own_base
from service.console.formatting import sentence
from service.console.hashing import TOO_BUSY, TooBusy
from service.console.oidc_sign_in import HERE as SSO
from service.console.oidc_sign_in import redirect_uri, turns
from service.console.person import Person
from service.console.provider_sign_out import SIGNED_OUT
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page
from service.console.sign_in import Admin
from service.errors import BrigadewatchError, Refused
from service.single_sign_on.checkup import Finding, check_provider
from service.storage.accounts import identity_providers
from service.storage.accounts.identity_providers import PLAIN_FIELDS, IdentityProvider, provider_for, read_provider
from service.storage.accounts.role_rules import parse_rules, text_of_rules
from service.storage.accounts.sign_in_rules import Passwords, SecondFactor, SignInRules, change_rules, rules_of
from service.storage.sql.engine import write

HERE = "/console/settings/sign-in"
SECTION = "sign-in"
_NEW = IdentityProvider(0, "", "", ())
Text = Annotated[str, Form(max_length=1_000)]
router = APIRouter(prefix="/sign-in")


@router.get("")
def show_sign_in(request: Request, person: Admin) -> Response:
    """The provider and the rules."""
    return _page(request, person)


@router.post("/provider")
def save(
    request: Request,
    person: Admin,
    issuer: Text = "",
    client_id: Text = "",
    client_secret: Annotated[str, Form(max_length=2_000)] = "",
    label: Text = "",
    scopes: Text = "",
    name_claim: Text = "",
    role_claim: Text = "",
    roles: Annotated[str, Form(max_length=60_000)] = "",
    session_hours: Text = "",
    link_by_email: Text = "",
    second_factor: Text = "",
) -> Response:
    """Store the tenant's own provider."""
    api = api_context(request)
    entered = {
        "issuer": issuer.strip(),
        "client_id": client_id.strip(),
        "label": label.strip() or _NEW.label,
        "scopes": " ".join(scopes.split()) or _NEW.scopes,
        "name_claim": name_claim.strip() or _NEW.name_claim,
        "role_claim": role_claim.strip() or _NEW.role_claim,
        "roles": roles,
        "session_hours": session_hours.strip(),
        "link_by_email": bool(link_by_email),
        "second_factor": bool(second_factor),
    }
    try:
        with write(api.engine) as connection:
            before = read_provider(connection, person.tenant_id)
            provider = IdentityProvider(
                **{  # type: ignore[arg-type]
                    **entered,
                    "tenant_id": person.tenant_id,
                    "roles": parse_rules(roles, for_all=False),
                    "session_hours": _hours(session_hours),
                }
            )
            # A secret that stays is sent to the place that it was entered for, and nowhere else.
            same = before is not None and (before.issuer, before.client_id) == (provider.issuer, provider.client_id)
            kept = before.client_secret if before is not None and same else None
            provider = replace(
                provider, client_secret=api.box.seal(client_secret.strip()) if client_secret.strip() else kept
            )
            identity_providers.save_provider(
                connection, provider, actor=person.name, now_us=now_us(request), but_session=person.session.hash
            )
    except Refused as error:
        return _page(request, person, entered=entered, error=sentence(error))
    flash(
        request, person, "Saved. People who had signed in with single sign-on sign in again. Test the connection now."
    )
    return see_other(request, HERE)


@router.post("/provider/remove")
def remove(request: Request, person: Admin) -> Response:
    """Remove the tenant's own provider."""
    with write(api_context(request).engine) as connection:
        identity_providers.remove_provider(
            connection,
            person.tenant_id,
            actor=person.name,
            now_us=now_us(request),
            but_session=person.session.hash,
        )
    flash(request, person, "Removed. Accounts that signed in with it need a sign-in link (People) to get a password.")
    return see_other(request, HERE)


@router.post("/test")
async def test_provider(request: Request, person: Admin) -> Response:
    """Try the provider that is in use, and show what was found."""
    api = api_context(request)

    def work() -> list[Finding]:
        with api.engine.connect() as connection:
            provider = provider_for(connection, person.tenant_id)
        if provider is None:
            return [Finding(False, "Save a provider first.")]
        try:
            secret = None if provider.client_secret is None else api.box.open(provider.client_secret)
        except BrigadewatchError as error:
            return [Finding(False, sentence(error))]
        return check_provider(api.settings, provider, secret, redirect_uri(request, provider, person.tenant))

    try:
        found = await turns(request).run(work)
    except TooBusy:
        found = [Finding(False, TOO_BUSY)]
    return await run_in_threadpool(lambda: _page(request, person, findings=found))


@router.post("/rules")
def save_rules(request: Request, person: Admin, passwords: Text = "", second_factor: Text = "") -> Response:
    """Store who may use a password, and whether it needs a second factor."""
    try:
        rules = SignInRules(
            _word(passwords, get_args(Passwords), "passwords"),  # type: ignore[arg-type]
            _word(second_factor, get_args(SecondFactor), "second factor"),  # type: ignore[arg-type]
        )
        with write(api_context(request).engine) as connection:
            change_rules(connection, person.tenant_id, rules, actor=person.name, now_us=now_us(request))
    except Refused as error:
        return _page(request, person, error=sentence(error))
    flash(request, person, "Saved. The rules apply from now on.")
    return see_other(request, HERE)


def _hours(text: str) -> int:
    if not text.strip():
        return _NEW.session_hours
    try:
        return int(text)
    except ValueError:
        raise Refused(f"invalid number of hours {text.strip()[:20]!r}: enter whole hours, like 12") from None


def _word(text: str, words: tuple[str, ...], name: str) -> str:
    if text not in words:
        raise Refused(f"invalid rule for the {name}, {text[:40]!r}: must be one of {', '.join(words)}")
    return text


def _page(
    request: Request,
    person: Person,
    *,
    entered: dict[str, object] | None = None,
    error: str | None = None,
    findings: list[Finding] | None = None,
) -> Response:
    with api_context(request).engine.connect() as connection:
        own = read_provider(connection, person.tenant_id)
        in_use = provider_for(connection, person.tenant_id)
        rules = rules_of(connection, person.tenant_id)
    shown = own or _NEW
    form = entered or {name: getattr(shown, name) for name in PLAIN_FIELDS} | {"roles": text_of_rules(shown.roles)}
    base, mine = own_base(request), replace(_NEW, tenant_id=person.tenant_id)
    return page(
        request,
        person,
        SECTION,
        "sign_in.html",
        error=error,
        form=form,
        own=own,
        for_all=in_use if in_use is not None and own is None else None,
        findings=findings,
        rules=rules,
        addresses=[
            ("redirect-uri", "Redirect address (callback)", redirect_uri(request, mine, person.tenant)),
            ("after-sign-out", "Address after signing out", f"{base}{SIGNED_OUT}"),
            ("logout-uri", "Back-channel logout address", f"{base}{SSO}/logout/{person.tenant}"),
        ],
    )
