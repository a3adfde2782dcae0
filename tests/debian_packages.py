"""Packages of Debian's suites, unpacked into a folder; nothing is installed, and apt's own lists stay as they are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "debian"
SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie", "sid")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SECONDS = 300  # for one download


class NotToBeHad(Exception):
    """It cannot be fetched or does not run here; the text says why."""


def unpack(packages: tuple[str, ...], content: Path) -> None:
    """Unpack packages, each as name/suite, into `content`. Raises NotToBeHad."""
    options = _apt_lists()
    folder = content.parent / "packages"
    folder.mkdir(parents=True)
    # apt leaves its privileges for a download, unless told that root may write here
    run("apt-get", *options, "-qq", "-o", "APT::Sandbox::User=root", "download", *packages, folder=folder)
    for file in sorted(folder.glob("*.deb")):
        run("dpkg-deb", "--extract", str(file), str(content))
    shutil.rmtree(folder)


def _apt_lists() -> list[str]:
    """Options for an apt that knows the suites above, from the mirror that this system uses."""
    if shutil.which("apt-get") is None or not _KEYRING.exists():
        raise NotToBeHad("its packages are Debian's, and this is no Debian")
    options = [
        word
        for name, value in (
            ("Dir::Etc::SourceList", CACHE / "sources.list"),
            ("Dir::Etc::SourceParts", "/dev/null"),
            ("Dir::State::Lists", CACHE / "lists"),
            ("Dir::Cache", CACHE),
        )
        for word in ("-o", f"{name}={value}")
    ]
    if not (CACHE / "complete").exists():
        for name in ("lists/partial", "archives/partial"):
            (CACHE / name).mkdir(parents=True, exist_ok=True)
        targets = run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)").split("\n")
        mirror = next((line.split()[1] for line in targets if re.match(r"(bullseye|bookworm|trixie) ", line)), None)
        if mirror is None:
            raise NotToBeHad("its packages are Debian's, and this system's apt knows no mirror (run apt-get update)")
        (CACHE / "sources.list").write_text(
            "".join(f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n" for suite in SUITES)
        )
        run("apt-get", *options, "-qq", "-o", "APT::Sandbox::User=root", "update")
        (CACHE / "complete").touch()
    return options


def run(*words: str, folder: Path | None = None) -> str:
    """What a command prints. Raises NotToBeHad with the last line of its complaint."""
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
