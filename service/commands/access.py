"""Who may come in: keys, people, and the secrets that are stored for others."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from service.commands.common import (
    Data,
    TenantName,
    UsageError,
    make_tenant_if_missing,
    now_us,
    prepared,
    read_secret,
    say,
    settings_from,
)
from service.errors import Refused

keys = typer.Typer(no_args_is_help=True, help="API keys of a tenant.")
users = typer.Typer(no_args_is_help=True, help="People who sign in to the console at /console.")
secret_keys = typer.Typer(
    no_args_is_help=True, help="Stored secrets: signing secrets, credentials of connections, keys of pseudonyms."
)


class KeyScope(StrEnum):
    """What a key may do."""

    INGEST = "ingest"
    READ = "read"
    MODERATE = "moderate"
    ADMIN = "admin"


class RoleName(StrEnum):
    """What a person may do in the console: each role what those before it may."""

    VIEWER = "viewer"
    MODERATOR = "moderator"
    ADMIN = "admin"


PasswordFile = Annotated[
    str | None,
    typer.Option(
        "--password-file",
        metavar="F|-",
        help="File with the password, or - for standard input; without it, it is asked for on the terminal.",
        show_default=False,
    ),
]
PersonName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The name that the person signs in with; it stands beside their decisions."),
]


@keys.command("create")
def keys_create(
    tenant: TenantName,
    scope: Annotated[list[KeyScope], typer.Option("--scope", help="What the key may do; repeat it for more than one.")],
    create: Annotated[bool, typer.Option("--create", help="Make the tenant if it is missing.")] = False,
    name: Annotated[str, typer.Option("--name", help="Who uses the key; stands beside decisions made with it.")] = "",
    data: Data = None,
) -> None:
    """Make a key and print it, once, alone on stdout; only its hash is kept."""
    from service.storage.accounts.tenants import create_key

    engine = prepared(settings_from(data))
    if create:
        make_tenant_if_missing(engine, tenant)
    typer.echo(create_key(engine, tenant, sorted({s.value for s in scope}), name, now_us()))


@users.command("create")
def users_create(
    name: PersonName,
    tenant: TenantName,
    role: Annotated[
        RoleName, typer.Option("--role", help="viewer reads; moderator also decides; admin also sets things up.")
    ],
    password_file: PasswordFile = None,
    data: Data = None,
) -> None:
    """Make an account for the console; the person can sign in as soon as this has ended."""
    from service.storage.accounts.passwords import hash_password
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import checked_name, create_user
    from service.storage.sql.engine import write

    engine = prepared(settings_from(data))
    number = tenant_id(engine, tenant)
    name = checked_name(name)
    password_hash = hash_password(_password(password_file, name))
    with write(engine) as connection:
        create_user(connection, number, name, role.value, password_hash, actor="cli", now_us=now_us())
    say(f"{name} can sign in as {role.value} of {tenant} at /console")


@users.command("list")
def users_list(tenant: TenantName = "default", data: Data = None) -> None:
    """The tenant's accounts, one JSON object a line."""
    from service.model import moment
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import list_users

    engine = prepared(settings_from(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        found = list_users(connection, number)
    for user in found:
        disabled_at = None if user.disabled_us is None else moment(user.disabled_us).isoformat()
        typer.echo(
            json.dumps(
                {
                    "name": user.name,
                    "role": user.role,
                    "created_at": moment(user.created_us).isoformat(),
                    "disabled_at": disabled_at,
                },
                ensure_ascii=False,
            )
        )


@users.command("set-password")
def users_set_password(
    name: PersonName, tenant: TenantName = "default", password_file: PasswordFile = None, data: Data = None
) -> None:
    """Give a person another password; ends all their sessions and the lock-out."""
    from service.storage.accounts.passwords import hash_password
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import find_user, set_password
    from service.storage.sql.engine import write

    engine = prepared(settings_from(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        user = find_user(connection, number, name)
    password_hash = hash_password(_password(password_file, user.name))
    with write(engine) as connection:
        set_password(connection, user, password_hash, actor="cli", now_us=now_us())
    say(f"{user.name} has another password; sessions that were open have ended")


@users.command("disable")
def users_disable(
    name: PersonName,
    tenant: TenantName = "default",
    undo: Annotated[bool, typer.Option("--undo", help="Let the person in again.")] = False,
    data: Data = None,
) -> None:
    """Let a person in no more, from this moment on. Their decisions stay, under their name."""
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import disable_user, enable_user, find_user
    from service.storage.sql.engine import write

    engine = prepared(settings_from(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        user = find_user(connection, number, name)
        if undo:
            enable_user(connection, user, actor="cli", now_us=now_us())
        else:
            disable_user(connection, user, actor="cli", now_us=now_us(), last_admin_too=True)
    say(f"{user.name} can sign in again" if undo else f"{user.name} is out")


@secret_keys.command("rotate")
def secrets_rotate(data: Data = None) -> None:
    """Encrypt every stored secret again, with the first key of BRIGADEWATCH_SECRET_KEY; the others can be taken out
    afterwards.
    """
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.secret_rotation import rotate_all
    from service.storage.sql.engine import write

    settings = settings_from(data)
    engine = prepared(settings)
    with write(engine) as connection:
        done, unreadable = rotate_all(connection, SecretBox(settings))
    for place in unreadable:
        say(f"no key opens {place}")
    say(f"encrypted again: {done}")
    if unreadable:
        raise Refused(
            f"{len(unreadable)} secret(s) stay as they were: add the key that they were sealed with to"
            " BRIGADEWATCH_SECRET_KEY and run this again, or set them anew"
        )


def _password(file: str | None, name: str) -> str:
    """The password from a file or asked for twice on the terminal, checked."""
    from service.storage.accounts.passwords import checked_password

    if file is None and not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the password on: name it with --password-file FILE, or - for standard"
            " input"
        )
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        if file is None
        else read_secret(file)
    )
    return checked_password(password, name=name)
