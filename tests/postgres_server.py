"""A PostgreSQL server for the tests: Debian's binaries on a temporary folder, as a user without privileges, gone with
the tests.

It forgets to sync, which no test needs: what a crash leaves behind is tried with a server of its own
(tests/service/storage/sql/test_postgresql.py).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


def binaries() -> Path | None:
    """The folder of initdb and postgres, the newest version first; None: not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    elsewhere = shutil.which("initdb")
    return found[0].parent if found else Path(elsewhere).resolve().parent if elsewhere else None


class PostgresServer:
    """A running server on 127.0.0.1; everybody who connects is `brigadewatch`, its superuser."""

    def __init__(self, settings: Sequence[str] = _QUICK, at: Path | None = None) -> None:
        """Makes a cluster in a folder of its own (a new one, `at`) and starts it. Raises RuntimeError without the
        server's binaries.
        """
        found = binaries()
        if found is None:
            raise RuntimeError(
                "no PostgreSQL server is installed; `make test-postgres` installs it (Debian: apt-get install"
                " postgresql-15), or name one with DATABASE_URL"
            )
        self._bin, self._settings = found, settings
        if at is not None:
            at.mkdir(mode=0o700)
        self.folder = folder = at or Path(tempfile.mkdtemp(prefix="brigadewatch-postgres-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        if os.getuid() == 0:  # the server refuses to run as root
            person = pwd.getpwnam("nobody")
            self._person: dict[str, int] = {"user": person.pw_uid, "group": person.pw_gid}
            os.chown(folder, person.pw_uid, person.pw_gid)
        else:
            self._person = {}
        command = [
            str(self._bin / "initdb"),
            "-D",
            str(folder / "cluster"),
            "-U",
            "brigadewatch",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd=folder,
            extra_groups=[] if self._person else None,
            **self._person,
        )  # type: ignore[call-overload]
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
            "max_connections=60",
            *self._settings,
        ]
        command = [
            str(self._bin / "postgres"),
            "-D",
            str(self.folder / "cluster"),
            *[word for setting in settings for word in ("-c", setting)],
        ]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                extra_groups=[] if self._person else None,
                preexec_fn=_end_with_the_tests if _LIBC else None,
                **self._person,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.address("postgres"), connect_timeout=2).close()
                return process
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)

    def address(self, database: str) -> str:
        """The URL of a database, as an operator types it."""
        return f"postgresql://brigadewatch@127.0.0.1:{self.port}/{database}"

    def kill(self) -> None:
        """The server is gone at once, and whoever was connected finds out when he asks next."""
        children = _children(self.process.pid)
        # the first one first: it would begin to recover from the death of the others
        for each in (self.process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.process.wait()
        # as long as they hold the memory that they share, no other starts
        while any(Path(f"/proc/{child}").exists() for child in children):
            time.sleep(0.01)

    def restart(self) -> None:
        """Start it again after `kill` or `end`."""
        self.process = self._start()

    def end(self) -> None:
        """End it as an operator does who restarts it: who is connected is sent away."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)

    def freeze(self) -> None:
        """The server and all its backends stop, and keep their connections."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """They go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        # the first one first: it makes no more of the others while it is stopped
        for each in (self.process.pid, *_children(self.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def stop(self) -> None:
        """End it without waiting for who is connected."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)


class Databases:
    """Databases of the tests on one server: each a copy of a migrated one."""

    def __init__(self, address: str) -> None:
        """`address` is the URL of any database on the server whose user may make databases; it is not touched
        itself.
        """
        self._connection = psycopg.connect(address, autocommit=True)
        self._address = address
        self._run = secrets.token_hex(4)
        self._made = 0

    def create(self, template: str | None = None) -> str:
        """The name of a new database: empty, or a copy of `template`, to which nobody may be connected."""
        self._made += 1
        name = f"brigadewatch_test_{self._run}_{self._made}"
        self._connection.execute(
            f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} STRATEGY file_copy".encode()
        )
        return name

    def url(self, name: str) -> str:
        """The URL of a database on this server."""
        server, _, rest = self._address.rpartition("/")
        return f"{server}/{name}{'?' + rest.split('?', 1)[1] if '?' in rest else ''}"

    def drop(self, name: str) -> None:
        """Remove a database, and throw out whoever is still connected."""
        self._connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _end_with_the_tests() -> None:
    # Runs in the child between fork and exec. A test run that is killed leaves no server behind.
    assert _LIBC is not None
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
