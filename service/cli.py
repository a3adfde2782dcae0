"""The command line. Exit codes: 0 done, 1 the run failed (why, on stderr), 2 wrong usage.

What a command needs is imported inside it: `--help` answers at once, and service/ knows no worker outside
these functions. Secrets go to stdout alone, everything else that is said to stderr.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service import logs
from service.errors import BrigadewatchError, Refused, UnknownTenant
from service.settings import DEFAULT_DATA, Settings, read_settings

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID
    from sqlalchemy import Engine

    from service.storage.dead_letters import DeadLetter
    from workers.resources import Resources

app = typer.Typer(
    name="brigadewatch", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown", add_completion=False,
    help="Tells coordinated complaining from honest outrage, and counts how many people complained independently.\n\n"
    "Start with `brigadewatch demo`. In production: `up` (everything on one machine) or `api`, `worker` and `clock` (one process each). "
    "Settings come from the environment (README, Configuration); --data is the same folder for every command.",
)
tenants = typer.Typer(no_args_is_help=True, help="Tenants: one platform, one community.")
keys = typer.Typer(no_args_is_help=True, help="API keys of a tenant.")
sources = typer.Typer(no_args_is_help=True, help="Inbound connections: platforms that post here, or are asked.")
policy = typer.Typer(no_args_is_help=True, help="Thresholds of a tenant's own.")
dead_letters = typer.Typer(no_args_is_help=True, help="Items that could not be processed five times over.")
users = typer.Typer(no_args_is_help=True, help="People who sign in to the console at /console.")
secret_keys = typer.Typer(no_args_is_help=True, help="Stored secrets: signing secrets, credentials of connections, keys of pseudonyms.")
app.add_typer(tenants, name="tenants")
app.add_typer(keys, name="keys")
app.add_typer(users, name="users")
app.add_typer(sources, name="sources")
app.add_typer(policy, name="policy")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(secret_keys, name="secrets")


TENANT_NAME = "[a-z0-9-]{1,40}"


class Scope(StrEnum):
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


class QueueName(StrEnum):
    """The queue that a worker serves; one each, since RQ loses jobs of a worker on two."""

    INGEST = "ingest"
    DETECT = "detect"
    SWEEP = "sweep"
    DELIVER = "deliver"
    CHORES = "chores"


class PlatformName(StrEnum):
    """What a source can be a connection to."""

    DISCOURSE = "discourse"
    MASTODON = "mastodon"
    CORAL = "coral"
    COOP = "coop"
    GENERIC = "generic"
    LEMMY = "lemmy"
    OZONE = "ozone"


Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help=f"Data folder; default: BRIGADEWATCH_DATA, or {DEFAULT_DATA}.")]
Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the API; without it 8000, or a free one if that is taken.", show_default=False)]
OpsPort = Annotated[int | None, typer.Option("--ops-port", min=0, max=65535, help="Port of metrics and readiness, on loopback; without it 8001, or a free one.", show_default=False)]
Parent = Annotated[int | None, typer.Option("--parent", hidden=True, help="End when this process is no longer the parent.")]
TenantName = Annotated[str, typer.Option("--tenant", metavar="T", help="The tenant's name.")]
SecretFile = Annotated[str | None, typer.Option("--secret-file", metavar="F|-", help="File with the secret, or - for standard input; one newline at its end is no part of it.", show_default=False)]
PasswordFile = Annotated[str | None, typer.Option("--password-file", metavar="F|-", help="File with the password, or - for standard input; without it, it is asked for on the terminal.", show_default=False)]
PersonName = Annotated[str, typer.Argument(metavar="NAME", help="The name that the person signs in with; it stands beside their decisions.")]
SourceId = Annotated[str, typer.Argument(metavar="SOURCE", help="The source's id, or the path that `sources add` printed.")]


@app.command()
def demo(
    data: Data = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same world.")] = 7,
    complaints: Annotated[int, typer.Option("--complaints", min=9_000, max=500_000, help="About how many complaints the world holds; in a smaller one the campaigns would be most of it.")] = 25_000,
    ends: Annotated[bool, typer.Option("--exit", help="End after printing, instead of staying up until Ctrl-C.")] = False,
) -> None:
    """Everything on this machine, with a generated world of 28 days: who complained together, and what it did to one comment.

    Without --data the folder is a temporary one, removed at the end.
    """
    from service.demo.show import run_demo

    raise typer.Exit(run_demo(data, seed=seed, complaints=complaints, stay=not ends))


@app.command()
def up(host: Host = "127.0.0.1", port: Port = None, ops_port: OpsPort = None, data: Data = None) -> None:
    """API, workers, clock and (without REDIS_URL) an embedded Valkey, on this machine, until Ctrl-C.

    SQLite without DATABASE_URL. What dies is started again. The tenant `default` is made, but no key and no account.
    """
    from service.supervisor import one_interrupt, running

    settings = _settings(data)
    try:
        with one_interrupt():
            engine = _prepared(settings)
            _make_tenant_if_missing(engine, "default")
            engine.dispose()
            with running(settings, host=host, port=port, ops_port=ops_port, say=_say) as supervisor:
                shown = "" if data is None else f" --data {shlex.quote(str(settings.data))}"
                _say(f"API      {supervisor.addresses.api}  (documentation: {supervisor.addresses.api}/docs)")
                _say(f"metrics  {supervisor.addresses.ops}/metrics")
                _say(f"data     {settings.data}")
                _say(f"a key:   brigadewatch keys create --tenant default --scope ingest --scope read{shown}")
                _say(f"console  {supervisor.addresses.api}/console")
                _say(f"an account for it:   brigadewatch users create --tenant default --role admin NAME{shown}")
                _say("Ctrl-C ends all of it.")
                threading.Event().wait()
    except KeyboardInterrupt:
        _say("ended")


@app.command()
def api(
    host: Host = "127.0.0.1", port: Port = None, ops_port: OpsPort = None, data: Data = None, parent: Parent = None,
    ops_host: Annotated[str, typer.Option("--ops-host", help="Address of metrics and readiness; anything but loopback shows them to the network.")] = "127.0.0.1",
    descriptor: Annotated[int | None, typer.Option("--socket", hidden=True)] = None, ops_descriptor: Annotated[int | None, typer.Option("--ops-socket", hidden=True)] = None,
) -> None:
    """The API alone, for containers. Needs REDIS_URL."""
    import socket
    from contextlib import ExitStack
    from dataclasses import replace

    from service.serving import serve
    from service.supervisor import listening

    settings = _settings(data)
    _log(settings)
    _end_with(parent)
    engine = _prepared(settings, make_secret=False)
    settings = replace(settings, redis_url=_redis_url(settings))
    with ExitStack() as stack:
        def bound(number: int | None, on: str, asked: int | None, default: int) -> socket.socket:
            return stack.enter_context(socket.socket(fileno=number) if number is not None else listening(on, asked, default=default))

        api_socket, ops_socket = bound(descriptor, host, port, 8000), bound(ops_descriptor, ops_host, ops_port, 8001)
        if descriptor is None:
            _say(f"API on port {api_socket.getsockname()[1]}, metrics on port {ops_socket.getsockname()[1]}")
        serve(settings, engine, api_socket, ops_socket)


@app.command()
def worker(queue: Annotated[QueueName, typer.Argument(help="The one queue that this process serves.")], data: Data = None, parent: Parent = None) -> None:
    """One worker process, for containers. Needs REDIS_URL."""
    from workers.jobs import run_worker

    run_worker(queue.value, _resources(data, parent, make_secret=False))


@app.command()
def clock(data: Data = None, parent: Parent = None) -> None:
    """The process that wakes the workers, for containers. Needs REDIS_URL."""
    from workers.clock import run_clock

    resources = _resources(data, parent, make_secret=False)
    run_clock(resources, _ending_signals())


@tenants.command("create")
def tenants_create(name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens, at most 40.")], data: Data = None) -> None:
    """Make a tenant; it can be used as soon as this has ended."""
    from service.storage.tenants import create_tenant

    if not re.fullmatch(TENANT_NAME, name):
        raise typer.BadParameter(f"{name!r} is no tenant's name: 1 to 40 of a-z, 0-9 and -")
    create_tenant(_prepared(_settings(data)), name, _now_us())
    _say(f"made the tenant {name}")


@tenants.command("list")
def tenants_list(data: Data = None) -> None:
    """The tenants' names, one a line."""
    from service.storage.tenants import list_tenants

    for name in list_tenants(_prepared(_settings(data))):
        typer.echo(name)


class Switch(StrEnum):
    """A setting that is on or off."""

    ON = "on"
    OFF = "off"


@tenants.command("set")
def tenants_set(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The tenant's name.")],
    pseudonyms: Annotated[Switch | None, typer.Option("--pseudonyms", help="Replace reporters' ids by keyed pseudonyms before they are stored. Concerns what comes from now on.", show_default=False)] = None,
    keep_text: Annotated[Switch | None, typer.Option("--keep-text", help="Keep what reporters write; off: only a signature that tells near-duplicates.", show_default=False)] = None,
    retention: Annotated[str | None, typer.Option("--retention", metavar="180d|off", help="Delete complaints and all that belongs to them so long after receipt.", show_default=False)] = None,
    rate: Annotated[str | None, typer.Option("--rate", metavar="N|off", help="Items a second that the tenant may send.", show_default=False)] = None,
    data: Data = None,
) -> None:
    """Change a tenant's settings; a running service follows within seconds. What is not named stays."""
    from service.storage.database import write
    from service.storage.tenant_settings import change_settings
    from service.storage.tenants import tenant_id

    changes: dict[str, Any] = {}
    if pseudonyms is not None:
        changes["pseudonyms"] = pseudonyms is Switch.ON
    if keep_text is not None:
        changes["keep_text"] = keep_text is Switch.ON
    if retention is not None:
        changes["retention_days"] = _days(retention)
    if rate is not None:
        changes["rate_per_second"] = _rate(rate)
    if not changes:
        raise typer.BadParameter("nothing to set: name --pseudonyms, --keep-text, --retention or --rate")
    engine = _prepared(_settings(data))
    number = tenant_id(engine, name)
    with write(engine) as connection:
        change_settings(connection, number, actor="cli", now_us=_now_us(), **changes)
    if changes.get("pseudonyms"):
        _say("complaints that come from now on bear pseudonyms; what is stored already keeps its ids (docs/privacy.md)")
    tenants_show(name, data)


@tenants.command("show")
def tenants_show(name: Annotated[str, typer.Argument(metavar="NAME", help="The tenant's name.")], data: Data = None) -> None:
    """A tenant's settings, as JSON."""
    from service.storage.tenant_settings import settings_of
    from service.storage.tenants import tenant_id

    engine = _prepared(_settings(data))
    number = tenant_id(engine, name)
    with engine.connect() as connection:
        now = settings_of(connection, number)
    shown = {"name": name, "pseudonyms": now.pseudonyms, "keep_text": now.keep_text, "retention_days": now.retention_days, "rate_per_second": now.rate_per_second}
    typer.echo(json.dumps(shown))


@policy.command("show")
def policy_show(
    tenant: TenantName = "default", every: Annotated[bool, typer.Option("--all", help="Also those that no tenant may set.")] = False, data: Data = None,
) -> None:
    """The tenant's thresholds, one JSON object a line: name, value, default, unit, range and why; then the version."""
    from service.policy import thresholds
    from service.storage.overrides import policy_of
    from service.storage.tenants import tenant_id

    engine = _prepared(_settings(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        now = policy_of(connection, number)
    for one in thresholds(now):
        if one.settable or every:
            shown = {"name": one.name, "value": one.value, "default": one.default, "unit": one.unit, "low": one.low, "high": one.high, "why": one.why}
            typer.echo(json.dumps(shown, default=lambda value: {name: getattr(value, name) for name in value.__slots__}))
    typer.echo(json.dumps({"policy_version": now.version}))


@policy.command("set")
def policy_set(
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Like default_threshold=12, prior_unfounded=0.3, flags_per_day=100; `policy show` lists them.")],
    tenant: TenantName = "default", data: Data = None,
) -> None:
    """Give the tenant thresholds of its own; what is not named stays. A running service follows within seconds, clusters at the next tick or sweep."""
    from service.policy import read_override

    try:
        put = dict(read_override(text) for text in values)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _change_policy(tenant, data, put=put)


@policy.command("reset")
def policy_reset(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Which thresholds; none: all of the tenant's own.")] = None, tenant: TenantName = "default", data: Data = None,
) -> None:
    """Go back to the defaults."""
    _change_policy(tenant, data, drop=names or None)


def _change_policy(tenant: str, data: Path | None, **change: Any) -> None:
    from service.storage.database import write
    from service.storage.overrides import change_overrides
    from service.storage.tenants import tenant_id

    engine = _prepared(_settings(data))
    number = tenant_id(engine, tenant)
    try:
        with write(engine) as connection:
            now = change_overrides(connection, number, **{"put": {}, **change}, by="cli", now_us=_now_us())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _say(f"{tenant}: policy {now.version}")


@keys.command("create")
def keys_create(
    tenant: TenantName,
    scope: Annotated[list[Scope], typer.Option("--scope", help="What the key may do; repeat it for more than one.")],
    create: Annotated[bool, typer.Option("--create", help="Make the tenant if it is missing.")] = False,
    name: Annotated[str, typer.Option("--name", help="Who uses the key; stands beside decisions made with it.")] = "",
    data: Data = None,
) -> None:
    """Make a key and print it, once, alone on stdout; only its hash is kept."""
    from service.storage.tenants import create_key

    engine = _prepared(_settings(data))
    if create:
        _make_tenant_if_missing(engine, tenant)
    typer.echo(create_key(engine, tenant, sorted({s.value for s in scope}), name, _now_us()))


@users.command("create")
def users_create(
    name: PersonName, tenant: TenantName, role: Annotated[RoleName, typer.Option("--role", help="viewer reads; moderator also decides; admin also sets things up.")],
    password_file: PasswordFile = None, data: Data = None,
) -> None:
    """Make an account for the console; the person can sign in as soon as this has ended."""
    from service.storage.database import write
    from service.storage.passwords import hash_password
    from service.storage.tenants import tenant_id
    from service.storage.users import checked_name, create_user

    engine = _prepared(_settings(data))
    number = tenant_id(engine, tenant)
    name = checked_name(name)
    password_hash = hash_password(_password(password_file, name))
    with write(engine) as connection:
        create_user(connection, number, name, role.value, password_hash, actor="cli", now_us=_now_us())
    _say(f"{name} can sign in as {role.value} of {tenant} at /console")


@users.command("list")
def users_list(tenant: TenantName = "default", data: Data = None) -> None:
    """The tenant's accounts, one JSON object a line."""
    from service.model import moment
    from service.storage.tenants import tenant_id
    from service.storage.users import list_users

    engine = _prepared(_settings(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        found = list_users(connection, number)
    for user in found:
        disabled_at = None if user.disabled_us is None else moment(user.disabled_us).isoformat()
        typer.echo(json.dumps({"name": user.name, "role": user.role, "created_at": moment(user.created_us).isoformat(), "disabled_at": disabled_at}, ensure_ascii=False))


@users.command("set-password")
def users_set_password(name: PersonName, tenant: TenantName = "default", password_file: PasswordFile = None, data: Data = None) -> None:
    """Give a person another password; ends all their sessions and the lock-out."""
    from service.storage.database import write
    from service.storage.passwords import hash_password
    from service.storage.tenants import tenant_id
    from service.storage.users import find_user, set_password

    engine = _prepared(_settings(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        user = find_user(connection, number, name)
    password_hash = hash_password(_password(password_file, user.name))
    with write(engine) as connection:
        set_password(connection, user, password_hash, actor="cli", now_us=_now_us())
    _say(f"{user.name} has another password; sessions that were open have ended")


@users.command("disable")
def users_disable(
    name: PersonName, tenant: TenantName = "default", undo: Annotated[bool, typer.Option("--undo", help="Let the person in again.")] = False, data: Data = None,
) -> None:
    """Let a person in no more, from this moment on. Their decisions stay, under their name."""
    from service.storage.database import write
    from service.storage.tenants import tenant_id
    from service.storage.users import disable_user, enable_user, find_user

    engine = _prepared(_settings(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        user = find_user(connection, number, name)
        if undo:
            enable_user(connection, user, actor="cli", now_us=_now_us())
        else:
            disable_user(connection, user, actor="cli", now_us=_now_us(), last_admin_too=True)
    _say(f"{user.name} can sign in again" if undo else f"{user.name} is out")


@sources.command("add")
def sources_add(
    tenant: TenantName,
    platform: Annotated[PlatformName, typer.Option("--platform", help="discourse, mastodon, coral, coop or generic post here; lemmy, ozone, and coral with --url, are asked.")],
    url: Annotated[str | None, typer.Option("--url", metavar="U", help="The platform's address; of one that is asked, where to ask.", show_default=False)] = None,
    secret_file: SecretFile = None,
    no_secret: Annotated[bool, typer.Option("--no-secret", help="Take unsigned posts (discourse alone can have no secret): then whoever knows the path can post.")] = False,
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="FILE", help="Field map of the platform generic, as JSON (docs/integrations).", exists=True, dir_okay=False, show_default=False)] = None,
    data: Data = None,
) -> None:
    """Make a source and print the path that the platform posts to, alone on stdout.

    The secret is the one that the platform signs with (coop: its key; of a platform that is asked: the token). Whoever
    has the path alone can do nothing with it, and it is redacted in logs.
    """
    from service.storage.database import write
    from service.storage.secret_box import SecretBox
    from service.storage.sources import add_source
    from service.storage.tenants import tenant_id

    settings = _settings(data)
    engine = _prepared(settings)
    number = tenant_id(engine, tenant)
    if no_secret == (secret_file is not None):
        raise typer.BadParameter("name the secret with --secret-file FILE (or -), or say --no-secret where the platform has none")
    secret = None if secret_file is None else _secret(secret_file)
    fields = None if mapping is None else _json_file(mapping)
    try:
        with write(engine) as connection:
            source = add_source(connection, SecretBox(settings), number, platform.value, secret=secret, url=url, mapping=fields, now_us=_now_us())
    except Refused as error:
        raise UsageError(str(error)) from None
    if secret is None:
        _say(f"WARNING: {platform.value} posts UNSIGNED: whoever learns the path can invent complaints. Set a secret there and here: brigadewatch sources rotate")
    if source.polled:
        _say(f"{platform.value} is asked at {url}; nothing has to be posted")
    typer.echo(source.path)


@sources.command("list")
def sources_list(tenant: TenantName, data: Data = None) -> None:
    """The tenant's sources, one JSON object a line; no secrets."""
    from service.api.sources import shown
    from service.storage.sources import list_sources
    from service.storage.tenants import tenant_id

    engine = _prepared(_settings(data))
    number, after = tenant_id(engine, tenant), ""
    while True:
        with engine.connect() as connection:
            page = list_sources(connection, number, after=after)
        for source in page:
            typer.echo(shown(source, _now_us()).model_dump_json())
        if not page:
            return
        after = page[-1].id


@sources.command("remove")
def sources_remove(source: SourceId, tenant: TenantName, data: Data = None) -> None:
    """End a source; its path answers from now on as if it had never been, and its secret is forgotten."""
    from service.storage.database import write
    from service.storage.sources import remove_source
    from service.storage.tenants import tenant_id

    engine = _prepared(_settings(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        remove_source(connection, number, source.rpartition("/")[2], now_us=_now_us())
    _say("removed")


@sources.command("rotate")
def sources_rotate(
    source: SourceId, tenant: TenantName, secret_file: SecretFile = None,
    overlap: Annotated[str, typer.Option("--overlap", help="How long the old secret is taken too; 0s: not at all.")] = "24h", data: Data = None,
) -> None:
    """Give a source a new secret; the old one stays valid for a while, so that nothing is lost in between."""
    from service.storage.database import write
    from service.storage.secret_box import SecretBox
    from service.storage.sources import rotate_secret
    from service.storage.tenants import tenant_id

    settings = _settings(data)
    engine = _prepared(settings)
    number = tenant_id(engine, tenant)
    if secret_file is None:
        raise typer.BadParameter("name the new secret with --secret-file FILE, or - for standard input")
    seconds = 0 if overlap in ("0", "0s") else _seconds(overlap, "--overlap")
    with write(engine) as connection:
        rotate_secret(connection, SecretBox(settings), number, source.rpartition("/")[2], _secret(secret_file), now_us=_now_us(), overlap_seconds=seconds)
    _say("the new secret is valid" + (f", the old one for another {overlap}" if seconds else ""))


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Complaints as NDJSON, also .gz.", exists=True, dir_okay=False)],
    url: Annotated[str, typer.Option("--url", help="Address of the API.")],
    key: Annotated[str, typer.Option("--key", envvar="BRIGADEWATCH_KEY", help="An API key with the scopes ingest and read.")],
    outcomes: Annotated[list[Path] | None, typer.Option("--outcomes", metavar="FILE...", help="Outcomes as NDJSON, also .gz; repeat it for more than one.", exists=True, dir_okay=False)] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Complaints a request.")] = 500,
    rate: Annotated[float | None, typer.Option("--rate", min=0.1, help="Items a second, at most.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Also when the tenant already has later complaints.")] = False,
) -> None:
    """Send files of complaints and outcomes, merged by time; end when all of it is analysed and swept."""
    from service.replay import Replay, print_summary

    summary = Replay(url, key, batch=batch, rate=rate).run(files, outcomes or [], force=force)
    print_summary(summary)
    raise typer.Exit(0 if summary.rejected == 0 else 1)


@app.command()
def audit(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Complaints as NDJSON(.gz), CSV or Parquet.", exists=True)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the report goes, as JSON.")],
    outcomes: Annotated[list[Path] | None, typer.Option("--outcomes", metavar="FILE...", help="Outcomes; repeat it for more than one.", exists=True)] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Where the report goes as one page for people; it needs no other file.", show_default=False)] = None,
    window: Annotated[str, typer.Option("--window", help="How much event time is looked at together, like 14d or 36h.")] = "14d",
    step: Annotated[str, typer.Option("--step", help="How far the window moves.")] = "1d",
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="Leave out what came later; RFC 3339.", show_default=False)] = None,
) -> None:
    """Look for coordinated groups in files, without a server."""
    from workers.audit.command import run

    with _stages() as stages:
        report = run(
            paths, outcomes=outcomes or [], out=out, html=html, now=datetime.now(UTC), window_seconds=_seconds(window, "--window"), step_seconds=_seconds(step, "--step"),
            as_of=_time(as_of), progress=stages,
        )
    flagged = sum(cluster["disposition"] == "flagged" for cluster in report["clusters"])
    _say(f"{report['complaints']:,} complaints, {flagged} flagged clusters, {len(report['targets']):,} targets whose independent count differs: {out}{f', {html}' if html else ''}")


@app.command()
def rebuild(data: Data = None, tenant: Annotated[str | None, typer.Option("--tenant", metavar="T", help="This tenant alone.", show_default=False)] = None) -> None:
    """Write totals, memberships and position counters into Redis again, from SQL."""
    from service.storage.tenants import list_tenants
    from workers.restore import restore

    resources = _resources(data, None)
    known = list(list_tenants(resources.engine))
    if tenant and tenant not in known:
        raise UnknownTenant(f"no tenant is called {tenant!r}")
    for name in [tenant] if tenant else known:
        _say(f"rebuilt {name}, up to position {restore(name, resources)}")


@dead_letters.command("list")
def dead_letters_list(tenant: TenantName = "default", data: Data = None) -> None:
    """The tenant's dead letters, one JSON object a line: id, position, times, error and the item."""
    from service.storage import dead_letters as letters
    from service.storage.tenants import tenant_id

    engine = _prepared(_settings(data))
    number, after = tenant_id(engine, tenant), 0
    while True:
        with engine.connect() as connection:
            page = letters.list_dead_letters(connection, number, after_id=after)
        for letter in page:
            typer.echo(json.dumps(_shown_letter(letter), ensure_ascii=False))
        if not page:
            return
        after = page[-1].id


@dead_letters.command("retry")
def dead_letters_retry(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID...]", help="Which of them; none: all of the tenant.")] = None, tenant: TenantName = "default", data: Data = None,
) -> None:
    """Send dead letters again; they become pending."""
    from service.storage import dead_letters as letters
    from service.storage.tenants import tenant_id

    resources = _resources(data, None)
    sent = letters.retry(resources.engine, resources.redis, tenant, tenant_id(resources.engine, tenant), _now_us(), ids or None)
    _say(f"sent again: {sent}")


@dead_letters.command("drop")
def dead_letters_drop(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID...]", help="Which of them.")] = None, tenant: TenantName = "default",
    every: Annotated[bool, typer.Option("--all", help="All of the tenant.")] = False, data: Data = None,
) -> None:
    """Forget dead letters for good."""
    from service.storage import dead_letters as letters
    from service.storage.tenants import tenant_id

    if bool(ids) == every:
        raise typer.BadParameter("name the ids, or say --all")
    engine = _prepared(_settings(data))
    _say(f"dropped: {letters.drop(engine, tenant_id(engine, tenant), ids or None)}")


@app.command()
def erase(
    reporter: Annotated[str, typer.Argument(metavar="REPORTER", help="The platform's id of the person, or the pseudonym that answers show.")], tenant: TenantName,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is done; needs a running service.")] = False, data: Data = None,
) -> None:
    """Forget a person: replace the id everywhere by one random token, delete what told about them, refuse what comes under the id.

    Prints the job's id. A running service does it within seconds to minutes (docs/privacy.md).
    """
    from pydantic import TypeAdapter, ValidationError

    from service.model import Id
    from service.storage import erasures
    from service.storage.database import write
    from service.storage.edges import open_edge
    from service.storage.secret_box import SecretBox
    from service.storage.tenants import tenant_id

    try:
        TypeAdapter(Id).validate_python(reporter)
    except ValidationError:
        raise typer.BadParameter("this is no id: 1 to 128 characters, no control characters", param_hint="REPORTER") from None
    settings = _settings(data)
    engine, box = _prepared(settings), SecretBox(settings)
    number = tenant_id(engine, tenant)
    edge = open_edge(engine, box, number)
    with write(engine) as connection:
        job = erasures.ask(connection, number, edge, box, reporter, actor="cli", now_us=_now_us())
    typer.echo(job)
    while wait:
        with engine.connect() as connection:
            found = erasures.find(connection, number, job)
        if found is None or found.state == erasures.DONE:
            _say("done")
            return
        time.sleep(0.5)


@secret_keys.command("rotate")
def secrets_rotate(data: Data = None) -> None:
    """Encrypt every stored secret again, with the first key of BRIGADEWATCH_SECRET_KEY; the others can be taken out afterwards."""
    from service.storage.database import write
    from service.storage.secret_box import SecretBox
    from service.storage.secret_rotation import rotate_all

    settings = _settings(data)
    engine = _prepared(settings)
    with write(engine) as connection:
        done, unreadable = rotate_all(connection, SecretBox(settings))
    for place in unreadable:
        _say(f"no key opens {place}")
    _say(f"encrypted again: {done}")
    if unreadable:
        raise Refused(f"{len(unreadable)} secret(s) stay as they were: add the key that they were sealed with to BRIGADEWATCH_SECRET_KEY and run this again, or set them anew")


@app.command()
def export(
    tenant: TenantName,
    out: Annotated[Path, typer.Option("--out", metavar="FILE|DIR", help="With --reporter a file, which is replaced; without, a folder that is made (an empty one will do).")],
    reporter: Annotated[str | None, typer.Option("--reporter", metavar="ID", help="All that is kept about this person, as one JSON; by the platform's id or by the pseudonym.", show_default=False)] = None,
    data: Data = None,
) -> None:
    """What is kept about one person, or everything of a tenant as NDJSON files that `audit` and `replay` read.

    A tenant's folder holds complaints, outcomes, withdrawn and machine complaints, withdrawals, clusters, decisions and the audit trail.
    """
    from service.storage import export as going_out
    from service.storage.edges import open_edge
    from service.storage.secret_box import SecretBox
    from service.storage.tenants import tenant_id

    settings = _settings(data)
    engine = _prepared(settings)
    number = tenant_id(engine, tenant)
    if reporter is not None:
        edge = open_edge(engine, SecretBox(settings), number)
        with engine.connect() as connection:
            found = going_out.person(connection, number, edge, reporter, now_us=_now_us())
        _write_privately(out, [json.dumps(found, ensure_ascii=False, indent=1)])
        _say(f"{len(found['complaints'])} complaints, {len(found['clusters'])} clusters: {out}")
        return
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = any(out.iterdir())
    except OSError as error:
        raise UsageError(f"{out} is no folder that can be written to: {error.strerror or error}") from None
    if taken:
        raise UsageError(f"{out} holds files already: name a new folder, so that nothing of an earlier export is taken for this one's")
    with engine.connect() as connection:  # one view for all files
        for name, objects in going_out.tenant(connection, number):
            count = _write_privately(out / name, (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in objects))
            _say(f"{name}: {count}")


@app.command()
def openapi() -> None:
    """The OpenAPI document of the API, as JSON on stdout."""
    from dataclasses import replace

    from sqlalchemy import create_engine

    from service.app import create_app

    settings = replace(read_settings(), redis_url="redis://127.0.0.1:1/0", database_url="sqlite://")
    typer.echo(json.dumps(create_app(settings, engine=create_engine("sqlite://")).openapi(), indent=2))


def main() -> None:
    """Run the command line of this process and exit."""
    try:
        app(args=spread_outcomes(sys.argv[1:]))
    except (UnknownTenant, UsageError) as error:
        _fail(str(error), 2)
    except BrigadewatchError as error:
        _fail(str(error), 1)
    except Exception as error:
        if os.environ.get("BRIGADEWATCH_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        _fail(f"{type(error).__name__}: {error} (BRIGADEWATCH_LOG_LEVEL=DEBUG shows where)", 1)


def spread_outcomes(arguments: list[str]) -> list[str]:
    """`--outcomes A B` as `--outcomes A --outcomes B`, for replay and audit.

    The files up to the next option belong to it when complaints were named before it; otherwise only the first does,
    and the others are the complaints.
    """
    if not arguments or arguments[0] not in ("replay", "audit"):
        return arguments
    spread, named, position = arguments[:1], False, 1
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("-"):
            named = True
            spread.append(word)
        elif word == "--outcomes":
            end = position
            while end < len(arguments) and not arguments[end].startswith("-") and (named or end == position):
                end += 1
            spread += [part for file in arguments[position:end] for part in (word, file)] or [word]
            position = end
        else:
            takes_value = "=" not in word and word not in ("--force", "--help") and position < len(arguments)
            spread += arguments[position - 1 : position + takes_value]
            position += takes_value
    return spread


class UsageError(BrigadewatchError):
    """The command line itself is wrong."""


def _fail(text: str, code: int) -> None:
    print(f"brigadewatch: {text}", file=sys.stderr)
    sys.exit(code)


def _write_privately(path: Path, lines: Iterable[str]) -> int:
    """Write a file that its owner alone may read, whole or not at all; says how many lines."""
    draft, count = path.with_name(f".{path.name}.{os.getpid()}"), 0
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", errors="surrogatepass") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    return count


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _now_us() -> int:
    return time.time_ns() // 1_000


def _settings(data: Path | None) -> Settings:
    from service.outbound.addresses import parse_openings

    try:
        settings = read_settings(data)
        parse_openings(settings.outbound_allow)
        return settings
    except ValueError as error:
        raise UsageError(str(error)) from None


def _log(settings: Settings) -> None:
    try:
        logs.configure(settings.log_level)
    except ValueError:
        raise UsageError(f"BRIGADEWATCH_LOG_LEVEL is {settings.log_level!r}, and has to be DEBUG, INFO, WARNING or ERROR") from None


def _prepared(settings: Settings, *, make_secret: bool = True) -> Engine:
    from service.data_folder import prepare

    return prepare(settings, make_secret=make_secret)


def _redis_url(settings: Settings) -> str:
    from service.data_folder import redis_url

    return redis_url(settings)


def _resources(data: Path | None, parent: int | None, *, make_secret: bool = True) -> Resources:
    from dataclasses import replace

    from workers.resources import open_resources

    settings = _settings(data)
    _log(settings)
    _end_with(parent)
    _prepared(settings, make_secret=make_secret).dispose()
    return open_resources(replace(settings, redis_url=_redis_url(settings)))


def _secret(file: str) -> str:
    """A secret from a file or standard input, without one trailing newline."""
    try:
        raw = sys.stdin.buffer.read(1 << 16) if file == "-" else Path(file).read_bytes()
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the secret in {file!r} cannot be read: {error}") from None
    return text.removesuffix("\n").removesuffix("\r")


def _password(file: str | None, name: str) -> str:
    """The password from a file or asked for twice on the terminal, checked."""
    from service.storage.passwords import checked_password

    if file is None and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for the password on: name it with --password-file FILE, or - for standard input")
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True) if file is None else _secret(file)
    return checked_password(password, name=name)


def _json_file(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} holds no JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{path} has to hold one JSON object")
    return value


def _make_tenant_if_missing(engine: Engine, name: str) -> None:
    from service.storage.tenants import ensure_tenant

    ensure_tenant(engine, name, _now_us())


def _ending_signals() -> threading.Event:
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.set())
    return ending


def _end_with(parent: int | None) -> None:
    """End this process when its supervisor is gone, however that ended."""
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


class Stages:
    """A bar a stage, on stderr, for what reports its progress as stage and advance."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def stage(self, name: str, total: int) -> None:
        """A new stage begins, or the present one learns its total."""
        if self._task is None or self._bars.tasks[-1].description != name:
            self._task = self._bars.add_task(name, total=total)
        self._bars.update(self._task, total=total)

    def advance(self, done: int) -> None:
        """So much of the present stage is done."""
        if self._task is not None:
            self._bars.update(self._task, completed=done)


@contextmanager
def _stages() -> Iterator[Stages]:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    with RichProgress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        yield Stages(bars)


def _shown_letter(letter: DeadLetter) -> dict[str, Any]:
    """Times as text, the item as it would be sent."""
    from service.model import moment

    shown: dict[str, Any] = {}
    for name in type(letter).__slots__:
        value = getattr(letter, name)
        if name.endswith("_us"):
            shown[f"{name.removesuffix('_us')}_at"] = None if value is None else moment(value).isoformat()
        else:
            shown[name] = value
    return shown


def _seconds(text: str, option: str) -> int:
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    try:
        seconds = int(float(text[:-1]) * units[text[-1:]])
    except (ValueError, KeyError, OverflowError):
        seconds = 0
    if seconds <= 0:
        raise typer.BadParameter(f"{text!r} is no length of time; write 14d, 36h or 90m", param_hint=option)
    return seconds


def _days(text: str) -> int | None:
    """Whole days of `180d`; None for `off`."""
    found = re.fullmatch(r"([0-9]{1,6})d", text)
    if text != "off" and found is None:
        raise typer.BadParameter(f"{text!r} is no retention; write whole days like 180d, or off", param_hint="--retention")
    return None if found is None else int(found.group(1))


def _rate(text: str) -> float | None:
    """Items a second; None for `off`."""
    try:
        return None if text == "off" else float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no rate; write items a second like 200, or off", param_hint="--rate") from None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no time with an offset, like 2021-12-23T14:02:11Z", param_hint="--as-of")
    return moment


if __name__ == "__main__":
    main()
