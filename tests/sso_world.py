"""A tenant that signs in with a provider, and a visitor's way there and back, in this process."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import httpx
from conftest import NOW_US, Api
from console_world import Visitor

from service.single_sign_on.provider import ProviderDirectory
from service.storage.accounts import identity_providers
from service.storage.accounts.identity_providers import ALL_TENANTS, IdentityProvider
from service.storage.accounts.role_rules import parse_rules
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import ensure_tenant
from service.storage.sql.engine import write

ROLES = "moderators = moderator\nleads = admin\nreaders = viewer"


def allow_outbound(api: Api, *openings: str) -> None:
    """Let this process reach providers on loopback, and forget what it knew about them."""
    context = api.app.state.api
    context.settings = replace(context.settings, outbound_allow=",".join(openings))
    api.app.state.providers = ProviderDirectory(context.settings)


def use_provider(
    api: Api,
    issuer: str,
    opening: str,
    *,
    tenant: str | None = "default",
    client_id: str = "brigadewatch",
    secret: str | None = None,
    roles: str = ROLES,
    **more: Any,
) -> None:
    """The tenant's own provider, or (None) the one of all."""
    allow_outbound(api, *{*filter(None, api.app.state.api.settings.outbound_allow.split(",")), opening})
    number = ALL_TENANTS if tenant is None else ensure_tenant(api.engine, tenant, NOW_US)
    sealed = None if secret is None else SecretBox(api.app.state.api.settings).seal(secret)
    rules = parse_rules(roles, for_all=tenant is None)
    provider = IdentityProvider(number, issuer, client_id, rules, sealed, **more)
    with write(api.engine) as connection:
        identity_providers.save_provider(connection, provider, actor="test", now_us=NOW_US)


def sent_to(answer: httpx.Response) -> str:
    """Where a page of ours leads the browser."""
    assert answer.status_code == 200, answer.text
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
    assert found is not None, answer.text
    return html.unescape(found[1])


def begin(visitor: Visitor, tenant: str = "default", next: str = "") -> str:
    """The provider's address, for a visitor who chose single sign-on."""
    return sent_to(visitor.get(f"/console/sign-in/sso?tenant={tenant}&next={next}"))


def arrive(visitor: Visitor, there: str) -> httpx.Response:
    """The answer to the visitor whom the provider sent to this address of ours."""
    path = there.partition("testserver")[2]
    return visitor.request("GET", path, headers={"Sec-Fetch-Site": "cross-site"})
