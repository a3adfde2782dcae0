"""Whether a server is one that can hold acknowledged complaints: its version, role and mode, and what a crash would
lose.

What it says of itself comes from INFO or, where that is forbidden (managed services, ACLs), from HELLO; appendfsync
only CONFIG GET knows. What stays unknown is said, and does not keep the service from starting. `judge` is pure.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from service.errors import BrigadewatchError

log = logging.getLogger(__name__)

MINIMUM = (6, 2)  # SMISMEMBER, BLMOVE, LPOP with a count
EMBEDDED = (
    "unset REDIS_URL and run `pip install 'brigadewatch[embedded]'`: `brigadewatch up` then starts a server that fits"
)
# A script of ours makes names of keys: what a server that wants them declared beforehand refuses.
_PROBE, _PROBE_KEY = "return redis.call('EXISTS', KEYS[1] .. ':probe')", "bw:probe"


class UnfitServer(BrigadewatchError):
    """The Redis cannot be used; the text says what was found, what is needed and the way out."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself; empty or None: it does not say."""

    info: Mapping[str, Any] = field(default_factory=dict)  # INFO
    hello: Mapping[str, Any] = field(default_factory=dict)  # HELLO
    appendfsync: str | None = None  # always | everysec | no
    scripts: str | None = None  # why it does not run our scripts


@dataclass(frozen=True, slots=True)
class ServerReport:
    """The judgement about a server."""

    name: str  # "Redis 7.0.15", "Valkey 8.1.1"
    problems: tuple[str, ...] = ()  # it cannot be used
    warnings: tuple[str, ...] = ()  # it can, and may lose what was acknowledged
    unknown: tuple[str, ...] = ()  # settings that it does not report


def examine(client: Redis) -> ServerFacts:
    """Ask the server, in four round trips. Raises RedisError when it does not answer."""
    any_client: Any = client
    # one after the other: the server may refuse each of them, and is asked for what it tells
    info = _unless_refused(any_client.info) or {}
    hello = _unless_refused(lambda: any_client.execute_command("HELLO"))  # Redis 6.0 wants an argument
    config = _unless_refused(lambda: any_client.config_get("appendfsync")) or {}
    scripts = None
    try:
        any_client.eval(_PROBE, 1, _PROBE_KEY)
    except ResponseError as error:
        if _forbidden(error) or "undeclared" in str(error):  # anything else is a state that passes, or reported below
            scripts = str(error)
    return ServerFacts(info, _mapping(hello or {}), config.get("appendfsync"), scripts)


def judge(facts: ServerFacts) -> ServerReport:
    """What is wrong with the server, in sentences that name the way out."""
    name = name_of(facts)
    return ServerReport(
        name,
        tuple(f"{name} {problem}" for problem in _problems(facts)),
        tuple(f"{name}: {warning}" for warning in _warnings(facts)),
        _unknown(facts),
    )


def require_fit(client: Redis) -> ServerReport:
    """The judgement about the server. Raises UnfitServer if it cannot be used, RedisError without an answer."""
    try:
        report = judge(examine(client))
    except ResponseError as error:
        if "unknown command" in str(error).lower():  # of the first command of every connection: HELLO, of Redis 6.0
            raise UnfitServer(_too_old("the server at REDIS_URL does not know HELLO and")) from None
        raise
    if report.problems:
        raise UnfitServer("; ".join(report.problems))
    return report


def log_report(report: ServerReport) -> None:
    """One line about what was found, and one for each warning."""
    log.info("the server is %s", report.name)
    for warning in all_warnings(report):
        log.warning("%s", warning)


def all_warnings(report: ServerReport) -> list[str]:
    """The warnings, and what the operator has to look up."""
    return [*report.warnings, *([unknown_sentence(report)] if report.unknown else [])]


def unknown_sentence(report: ServerReport) -> str:
    """What the operator has to look up."""
    return (
        f"{report.name} does not report {', '.join(report.unknown)} (INFO or CONFIG GET is forbidden here): make sure"
        " that it has no cluster mode, appendonly yes, appendfsync always and maxmemory-policy noeviction"
    )


class CheckOnce:
    """The check of a process that outlives its server: made at the first answer, and not again."""

    def __init__(self, client: Redis) -> None:
        self._client, self._done = client, False

    def __call__(self) -> None:
        """Raises UnfitServer; RedisError while the server does not answer."""
        if not self._done:
            log_report(require_fit(self._client))
            self._done = True


def name_of(facts: ServerFacts) -> str:
    """The server's kind and version; forks report an old redis_version beside their own."""
    info, hello = facts.info, facts.hello
    for kind in ("valkey", "redict", "dragonfly"):
        if info.get(f"{kind}_version"):
            return f"{kind.capitalize()} {str(info[f'{kind}_version']).rpartition('-v')[2]}"
    version = info.get("redis_version") or hello.get("version")
    if not version:
        return "a server of unknown version"
    kind = str(info.get("server_name") or hello.get("server") or "redis")
    return f"{kind.capitalize()} {version}"


def _problems(facts: ServerFacts) -> list[str]:
    info, hello = facts.info, facts.hello
    found = []
    # a fork's HELLO tells a version of its own count, its INFO the Redis that it equals
    version = info.get("redis_version") or (hello.get("version") if hello.get("server") == "redis" else None)
    if (numbers := numbers_of(str(version))) and numbers < MINIMUM:
        found.append(_too_old("at REDIS_URL"))
    mode = str(info.get("redis_mode") or info.get("server_mode") or hello.get("mode") or "")
    if mode == "sentinel":
        found.append("is a Sentinel, which holds no data: name the primary that it watches in REDIS_URL")
    elif mode == "cluster" or _number(info.get("cluster_enabled")):
        found.append(
            "runs in cluster mode, in which a job queue or a transaction over several keys is impossible: name a server"
            " with `cluster-enabled no` in REDIS_URL"
        )
    role = str(info.get("role") or hello.get("role") or "")
    if role in ("slave", "replica"):
        primary = f" of {info['master_host']}:{info.get('master_port', '?')}" if info.get("master_host") else ""
        found.append(
            f"is a replica{primary}: it refuses writes or loses them when it syncs; name its primary in REDIS_URL"
        )
    if facts.scripts is not None and mode != "sentinel":
        found.append(
            f"does not run the service's scripts ({facts.scripts[:200]}): allow EVAL, EVALSHA and SCRIPT LOAD, and keys"
            f" that a script names itself, or {EMBEDDED}"
        )
    return found


def _too_old(subject: str) -> str:
    return (
        f"{subject} is too old: Redis {'.'.join(map(str, MINIMUM))} or newer or Valkey is needed; upgrade it, or"
        f" {EMBEDDED}"
    )


def _warnings(facts: ServerFacts) -> list[str]:
    info = facts.info
    found = []
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        limit = _number(info.get("maxmemory"))
        when = f"at {limit / 2**20:.0f} MiB" if limit else "as soon as maxmemory is set"
        what = (
            "acknowledged complaints are deleted"
            if str(policy).startswith("allkeys")
            else "leases and marks of webhook deliveries are deleted"
        )
        found.append(f"maxmemory-policy is {policy}: {when} {what}; set `maxmemory-policy noeviction`")
    if "aof_enabled" in info and not _number(info["aof_enabled"]):
        found.append(
            "the append-only file is off: when the server stops, complaints that were acknowledged and are not archived"
            " yet are lost; set `appendonly yes` and `appendfsync always`"
        )
    elif facts.appendfsync not in (None, "always"):
        lost = "of up to a second" if facts.appendfsync == "everysec" else "of some 30 seconds"
        found.append(
            f"appendfsync is {facts.appendfsync}: when the operating system crashes or power fails, acknowledged"
            f" complaints {lost} are lost; set `appendfsync always`"
        )
    return found


def _unknown(facts: ServerFacts) -> tuple[str, ...]:
    info, hello = facts.info, facts.hello
    known = {
        "its version": info.get("redis_version") or hello.get("version"),
        "its role": info.get("role") or hello.get("role"),
        "cluster-enabled": "cluster_enabled" in info or hello.get("mode"),
        "maxmemory-policy": info.get("maxmemory_policy"),
        "appendonly": "aof_enabled" in info,
        "appendfsync": facts.appendfsync or ("aof_enabled" in info and not _number(info["aof_enabled"])),
    }
    return tuple(name for name, value in known.items() if not value)


def numbers_of(version: str) -> tuple[int, int] | None:
    """(6, 2) of "6.2.5"; None: it does not begin with a number."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _mapping(answer: Any) -> dict[str, Any]:
    """HELLO's answer, a mapping or (before RESP3) a flat list."""
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=False)
    return {_text(name): _text(value) for name, value in pairs}


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _forbidden(error: RedisError) -> bool:
    """Whether the command is not to be had here: forbidden to this user, renamed or left out by the host."""
    text = str(error).lower()
    return isinstance(error, NoPermissionError) or any(
        words in text
        for words in ("noperm", "unknown command", "unknown subcommand", "not allowed", "unsupported", "disabled")
    )


def _unless_refused(ask: Callable[[], Any]) -> Any:
    """The answer; None: the server refuses to tell."""
    try:
        return ask()
    except ResponseError as error:
        if "unknown command" in str(error).lower() and "hello" in str(error).lower():
            raise  # of the connection's beginning, not of the command
        return None
