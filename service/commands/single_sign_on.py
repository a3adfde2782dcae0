"""Single sign-on: an identity provider for one tenant or for all, the rules for passwords, and one-time links."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.access import users
from service.commands.common import (
    Data,
    SecretFile,
    TenantName,
    UsageError,
    existing,
    read_secret,
    say,
    settings_from,
)
from service.errors import Refused
from service.wall_clock import now_us

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from service.settings import Settings

sso = typer.Typer(no_args_is_help=True, help="Single sign-on with OpenID Connect, for one tenant or for all of them.")
SsoTenant = Annotated[str | None, typer.Option("--tenant", metavar="T", help="Name of the tenant.", show_default=False)]
RoleRules = Annotated[
    list[str],
    typer.Option(
        "--role",
        metavar="VALUE=ROLE",
        help="Who has which role, like moderators=moderator; with --all like news-desk=news/moderator. Repeat it.",
    ),
]
LinkByEmail = Annotated[
    bool,
    typer.Option(
        "--link-by-email",
        help="An account whose name is a person's mail address, verified by the provider, becomes theirs.",
    ),
]
AskFactor = Annotated[
    bool, typer.Option("--second-factor", help="Ask people who have a second factor here for it as well.")
]
ForAll = Annotated[bool, typer.Option("--all", help="Every tenant without a provider of its own.")]


class PasswordRule(StrEnum):
    """Who may sign in with a password."""

    ALL = "all"
    ADMINS = "admins"


class FactorRule(StrEnum):
    """Whether a password needs a second factor."""

    OPTIONAL = "optional"
    REQUIRED = "required"


@sso.command("set")
def sso_set(
    issuer: Annotated[str, typer.Option("--issuer", metavar="URL", help="As the provider names itself.")],
    client_id: Annotated[str, typer.Option("--client-id", metavar="ID", help="Of the client registered there.")],
    role: RoleRules,
    tenant: SsoTenant = None,
    for_all: ForAll = False,
    secret_file: SecretFile = None,
    label: Annotated[str, typer.Option("--label", help="Name on the sign-in page.")] = "your organisation",
    scopes: Annotated[str, typer.Option("--scopes", help="Separated by spaces.")] = "openid profile email",
    name_claim: Annotated[
        str, typer.Option("--name-claim", help="Claim that names the account.")
    ] = "preferred_username",
    role_claim: Annotated[
        str, typer.Option("--role-claim", help="Claim with the role: a text or a list, or a path with dots.")
    ] = "roles",
    session_hours: Annotated[int, typer.Option("--session-hours", help="Until people sign in again, 1 to 168.")] = 12,
    link_by_email: LinkByEmail = False,
    second_factor: AskFactor = False,
    data: Data = None,
) -> None:
    """Set the identity provider. People who had signed in with the earlier one have to sign in again.

    Example: `brigadewatch sso set --tenant news --issuer https://login.example.org/realms/news --client-id brigadewatch
    --secret-file secret --role-claim realm_access.roles --role moderators=moderator --role leads=admin`
    """
    from service.storage.accounts import identity_providers
    from service.storage.accounts.role_rules import parse_rules
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.sql.engine import write

    settings = settings_from(data)
    engine, number = _opened(settings, tenant, for_all)
    secret = None if secret_file is None else SecretBox(settings).seal(read_secret(secret_file))
    provider = identity_providers.IdentityProvider(
        number,
        issuer,
        client_id,
        parse_rules("\n".join(role), for_all=for_all),
        secret,
        label,
        scopes,
        name_claim,
        role_claim,
        session_hours,
        link_by_email,
        second_factor,
    )
    with write(engine) as connection:
        identity_providers.save_provider(connection, provider, actor="cli", now_us=now_us())
    say(f"saved; register this redirect address at the provider: {_redirect_uri(settings, tenant)}")


@sso.command("show")
def sso_show(tenant: SsoTenant = None, for_all: ForAll = False, data: Data = None) -> None:
    """Print the identity provider as JSON, without its secret."""
    from service.storage.accounts.identity_providers import PLAIN_FIELDS, read_provider
    from service.storage.accounts.role_rules import text_of_rules

    settings = settings_from(data)
    engine, number = _opened(settings, tenant, for_all)
    with engine.connect() as connection:
        found = read_provider(connection, number)
    if found is None:
        raise Refused("no identity provider is set here: set one with `brigadewatch sso set`")
    shown = {
        **{name: getattr(found, name) for name in PLAIN_FIELDS},
        "has_secret": found.client_secret is not None,
        "roles": text_of_rules(found.roles).splitlines(),
        "redirect_uri": _redirect_uri(settings, tenant),
    }
    typer.echo(json.dumps(shown, ensure_ascii=False))


@sso.command("test")
def sso_test(tenant: SsoTenant = None, for_all: ForAll = False, data: Data = None) -> None:
    """Try the connection to the identity provider, and say what does not work. Exit code 1 if something does not."""
    from service.single_sign_on.checkup import check_provider
    from service.storage.accounts.identity_providers import read_provider
    from service.storage.accounts.secret_box import SecretBox

    settings = settings_from(data)
    engine, number = _opened(settings, tenant, for_all)
    with engine.connect() as connection:
        found = read_provider(connection, number)
    if found is None:
        raise Refused("no identity provider is set here: set one with `brigadewatch sso set`")
    secret = None if found.client_secret is None else SecretBox(settings).open(found.client_secret)
    findings = check_provider(settings, found, secret, _redirect_uri(settings, tenant))
    for one in findings:
        typer.echo(f"{ {True: 'works', None: 'note', False: 'does not work'}[one.good] }: {one.text}")
    if any(one.good is False for one in findings):
        raise Refused("the connection to the identity provider does not work yet")


@sso.command("remove")
def sso_remove(tenant: SsoTenant = None, for_all: ForAll = False, data: Data = None) -> None:
    """Remove the identity provider. Its accounts stay; `users reset-link` gives one a password."""
    from service.storage.accounts.identity_providers import remove_provider
    from service.storage.sql.engine import write

    engine, number = _opened(settings_from(data), tenant, for_all)
    with write(engine) as connection:
        remove_provider(connection, number, actor="cli", now_us=now_us())
    say("removed; people who had signed in with it are signed out")


@sso.command("rules")
def sso_rules(
    tenant: TenantName,
    passwords: Annotated[PasswordRule | None, typer.Option("--passwords", help="Who may use a password.")] = None,
    second_factor: Annotated[
        FactorRule | None, typer.Option("--second-factor", help="Whether a password needs a second factor.")
    ] = None,
    data: Data = None,
) -> None:
    """Set and print who may sign in with a password, and whether it needs a second factor."""
    from dataclasses import asdict, replace

    from service.storage.accounts.sign_in_rules import change_rules, rules_of
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        rules = rules_of(connection, number)
        if passwords is not None:
            rules = replace(rules, passwords=passwords.value)
        if second_factor is not None:
            rules = replace(rules, second_factor=second_factor.value)
        change_rules(connection, number, rules, actor="cli", now_us=now_us())
    typer.echo(json.dumps(asdict(rules)))


@users.command("reset-link")
def users_reset_link(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the account.")],
    tenant: TenantName = "default",
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Using the link also removes second factors (a lost phone).")
    ] = False,
    data: Data = None,
) -> None:
    """Print a link with which a person chooses a new password once, within 72 hours. Their password ends now."""
    from service.storage.accounts.one_time_links import make_link
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import find_user
    from service.storage.sql.engine import write

    settings = settings_from(data)
    engine = existing(settings)
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        user = find_user(connection, number, name)
        token = make_link(connection, user, factors_too=second_factor, actor="cli", now_us=now_us())
    typer.echo(f"{settings.public_url or ''}/console/sign-in/link/{token}")
    if not settings.public_url:
        say("put the address of your console in front of it (BRIGADEWATCH_PUBLIC_URL is not set)")


def _opened(settings: Settings, tenant: str | None, for_all: bool) -> tuple[Engine, int]:
    """The database, and the number that the provider is stored under."""
    from service.storage.accounts.identity_providers import ALL_TENANTS
    from service.storage.accounts.tenants import tenant_id

    if (tenant is None) != for_all:
        raise UsageError("name one tenant with --tenant, or use --all for every tenant without its own provider")
    engine = existing(settings)
    return engine, ALL_TENANTS if tenant is None else tenant_id(engine, tenant)


def _redirect_uri(settings: Settings, tenant: str | None) -> str:
    path = f"/console/sign-in/sso/callback{'' if tenant is None else f'/{tenant}'}"
    return f"{settings.public_url or 'https://YOUR-CONSOLE'}{path}"
