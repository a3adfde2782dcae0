"""Access: API keys, console accounts, and stored secrets."""

from __future__ import annotations

import json
import shlex
import sys
import time
from enum import StrEnum
from typing import Annotated

import typer

from service.commands.common import (
    Data,
    TenantName,
    UsageError,
    existing,
    make_tenant_if_missing,
    prepared,
    read_secret,
    say,
    settings_from,
)
from service.errors import Refused
from service.settings import Settings
from service.wall_clock import now_us

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")
users = typer.Typer(no_args_is_help=True, help="Manage the accounts that sign in to the console (/console).")
secret_keys = typer.Typer(
    no_args_is_help=True, help="Re-encrypt stored secrets: signing secrets, platform credentials, pseudonym keys."
)


_START_SECONDS = 60.0  # how long --shell waits for an `up` that is starting


class KeyScope(StrEnum):
    """What a key permits."""

    INGEST = "ingest"
    READ = "read"
    MODERATE = "moderate"
    FORGET = "forget"
    ADMIN = "admin"


class RoleName(StrEnum):
    """What a person may do in the console; each role includes those before it."""

    VIEWER = "viewer"
    MODERATOR = "moderator"
    ADMIN = "admin"


PasswordFile = Annotated[
    str | None,
    typer.Option(
        "--password-file",
        metavar="F|-",
        help="File that holds the password, or - for standard input. Without it, the terminal prompts for it.",
        show_default=False,
    ),
]
PersonName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Name to sign in with; it is shown beside the person's decisions."),
]


@keys.command("create")
def keys_create(
    tenant: TenantName,
    scope: Annotated[
        list[KeyScope], typer.Option("--scope", help="What the key permits; repeat the option for several scopes.")
    ],
    create: Annotated[bool, typer.Option("--create", help="Create the tenant if it does not exist.")] = False,
    name: Annotated[str, typer.Option("--name", help="Who uses the key; shown beside decisions made with it.")] = "",
    shell: Annotated[
        bool,
        typer.Option(
            "--shell",
            help="Print `export API=... KEY=...` for eval: the key, and the address of the `brigadewatch up` on this"
            " data folder. Waits up to a minute for it to start.",
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Create an API key and print it. It is shown only once: only its hash is stored.

    Example: `brigadewatch keys create --tenant news --create --scope ingest --scope read`
    """
    from service.storage.accounts.tenants import create_key

    settings = settings_from(data)
    api = _address_of_api(settings) if shell else ""  # first: an `up` that is starting makes the database
    engine = prepared(settings) if create else existing(settings)
    if create:
        make_tenant_if_missing(engine, tenant)
    key = create_key(engine, tenant, sorted({s.value for s in scope}), name, now_us())
    typer.echo(f"export API={shlex.quote(api)} KEY={shlex.quote(key)}" if shell else key)


@keys.command("list")
def keys_list(
    tenant: TenantName = "default",
    every: Annotated[bool, typer.Option("--all", help="Include keys that were revoked.")] = False,
    data: Data = None,
) -> None:
    """List the tenant's API keys, one JSON object per line: id, name, scopes and times, never the key itself."""
    from service.model import moment
    from service.storage.accounts.tenants import list_keys, tenant_id

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        found = list_keys(connection, number)
    for key in found:
        if every or key.revoked_us is None:
            document = {
                "id": key.id,
                "name": key.name,
                "scopes": list(key.scopes),
                "created_at": moment(key.created_us).isoformat(),
                "revoked_at": None if key.revoked_us is None else moment(key.revoked_us).isoformat(),
            }
            typer.echo(json.dumps(document, ensure_ascii=False))


@keys.command("revoke")
def keys_revoke(
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Ids of keys; `keys list` shows them.")],
    tenant: TenantName = "default",
    data: Data = None,
) -> None:
    """Revoke API keys of the tenant, all or none of them. Running processes accept a revoked key for up to 5 seconds.

    Example: `brigadewatch keys revoke --tenant news 7`
    """
    from service.errors import NotFound
    from service.storage.accounts.tenants import end_key, tenant_id
    from service.storage.sql.engine import write

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        for key in dict.fromkeys(ids):
            try:
                end_key(connection, number, key, by="cli", now_us=now_us())
            except NotFound:
                raise Refused(
                    f"tenant {tenant} has no key {key} in use, so nothing was revoked; `brigadewatch keys list --tenant"
                    f" {tenant} --all` shows its keys"
                ) from None
    say(f"revoked: {', '.join(str(key) for key in dict.fromkeys(ids))}")


@users.command("create")
def users_create(
    name: PersonName,
    tenant: TenantName,
    role: Annotated[
        RoleName, typer.Option("--role", help="viewer: read only; moderator: also decide; admin: also change settings.")
    ],
    password_file: PasswordFile = None,
    data: Data = None,
) -> None:
    """Create a console account. It works as soon as the command returns.

    Example: `brigadewatch users create --tenant news --role moderator anna`
    """
    from service.storage.accounts.passwords import hash_password
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import checked_name, create_user
    from service.storage.sql.engine import write

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    name = checked_name(name)
    password_hash = hash_password(_password(password_file, name))
    with write(engine) as connection:
        create_user(connection, number, name, role.value, password_hash, actor="cli", now_us=now_us())
    say(f"{name} can now sign in at /console as {role.value} of tenant {tenant}")


@users.command("list")
def users_list(tenant: TenantName = "default", data: Data = None) -> None:
    """List the tenant's console accounts, one JSON object per line."""
    from service.model import moment
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import list_users

    engine = existing(settings_from(data))
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
    """Set a new password for an account; ends its sessions and lifts a temporary lock."""
    from service.storage.accounts.passwords import hash_password
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import find_user, set_password
    from service.storage.sql.engine import write

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        user = find_user(connection, number, name)
    password_hash = hash_password(_password(password_file, user.name))
    with write(engine) as connection:
        set_password(connection, user, password_hash, actor="cli", now_us=now_us())
    say(f"set a new password for {user.name}; their open sessions have ended")


@users.command("disable")
def users_disable(
    name: PersonName,
    tenant: TenantName = "default",
    undo: Annotated[bool, typer.Option("--undo", help="Enable the account again.")] = False,
    data: Data = None,
) -> None:
    """Disable an account at once. The person's decisions stay, under their name."""
    from service.storage.accounts.tenants import tenant_id
    from service.storage.accounts.users import disable_user, enable_user, find_user
    from service.storage.sql.engine import write

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        user = find_user(connection, number, name)
        if undo:
            enable_user(connection, user, actor="cli", now_us=now_us())
        else:
            disable_user(connection, user, actor="cli", now_us=now_us(), last_admin_too=True)
    say(f"enabled {user.name} again" if undo else f"disabled {user.name}")


@secret_keys.command("rotate")
def secrets_rotate(data: Data = None) -> None:
    """Re-encrypt every stored secret with the first key in BRIGADEWATCH_SECRET_KEY. The other keys can be removed
    afterwards.
    """
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.secret_rotation import rotate_all
    from service.storage.sql.engine import write

    settings = settings_from(data)
    engine = existing(settings)
    with write(engine) as connection:
        done, unreadable = rotate_all(connection, SecretBox(settings))
    for place in unreadable:
        say(f"no key decrypts {place}")
    say(f"re-encrypted: {done}")
    if unreadable:
        raise Refused(
            f"{len(unreadable)} secret(s) could not be decrypted and are unchanged: add the key that encrypted them to"
            " BRIGADEWATCH_SECRET_KEY and run this command again, or replace these secrets"
        )


def _address_of_api(settings: Settings) -> str:
    """The address of the `up` on this folder, which may still be starting; without one BRIGADEWATCH_PUBLIC_URL.

    Raises Refused when there is neither.
    """
    from service.data_folder import api_url

    deadline = time.monotonic() + (0 if settings.public_url else _START_SECONDS)
    if (found := api_url(settings)) is None and not settings.public_url:
        say(f"waiting for `brigadewatch up` to start on {settings.data} ...")
    while found is None and time.monotonic() < deadline:
        time.sleep(0.1)
        found = api_url(settings)
    address = found or settings.public_url
    if address is None:
        raise Refused(
            f"no `brigadewatch up` is running on {settings.data}, so --shell cannot print its address; start it, name"
            " its folder with --data, set BRIGADEWATCH_PUBLIC_URL, or leave out --shell"
        )
    return address


def _password(file: str | None, name: str) -> str:
    """The password from a file, or typed twice at the terminal; checked."""
    from service.storage.accounts.passwords import checked_password

    if file is None and not sys.stdin.isatty():
        raise UsageError(
            "cannot prompt for the password without a terminal: use --password-file FILE, or --password-file - for"
            " standard input"
        )
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        if file is None
        else read_secret(file)
    )
    return checked_password(password, name=name)
