"""WordPress itself, as Debian's suites have it, and the programs that run it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

from debian_packages import ROOT, unpack

CACHE = ROOT / "build" / "wordpress"
SUITES = ("sid", "trixie")  # the two newest branches; the newest first
# The package shares these with others: without them its links lead nowhere.
_PARTS = ("libphp-phpmailer", "php-getid3", "libjs-underscore", "libjs-lodash", "libjs-jquery-ui", "libjs-cropper")
_PROGRAMS = ("php", "mariadbd", "mariadb-install-db", "mariadb", "nginx")


def missing() -> str:
    """What keeps a WordPress from running here, or nothing."""
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    if php_fpm() is None:
        absent.append("php-fpm")
    if "php" not in absent:
        modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout.lower().split()
        absent += [f"php-{name}" for name in ("curl", "mysqli", "mbstring", "xml") if name not in modules]
    return ", ".join(absent)


def php_fpm() -> str | None:
    """PHP's process manager; Debian names it with its version."""
    folders = [Path(folder) for folder in os.get_exec_path()] + [Path("/usr/sbin")]
    found = [
        path for folder in folders for path in folder.glob("php-fpm*") if re.fullmatch(r"php-fpm[\d.]*", path.name)
    ]
    return str(found[0]) if found else None


def core(suite: str) -> Path:
    """The folder of WordPress as the suite has it, fetched once. Raises NotToBeHad."""
    folder = CACHE / suite
    whole = folder / "content" / "usr" / "share" / "wordpress"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in two processes, and apt in one at a time
        _fetch(suite, folder, whole)
    return whole


def _fetch(suite: str, folder: Path, whole: Path) -> None:
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    names = ("wordpress", "wordpress-theme-twentytwentyfive", *_PARTS)
    unpack(tuple(f"{name}/{suite}" for name in names), folder / "content")
    (whole / "wp-config.php").unlink(missing_ok=True)  # Debian's looks for a file in /etc
    for link in (path for path in whole.rglob("*") if path.is_symlink() and not path.exists()):
        link.unlink()  # into /etc, or licences
    (folder / "complete").touch()


def version(whole: Path) -> str:
    """As WordPress calls itself: "6.8.12"."""
    found = re.search(r"\$wp_version = '([^']+)'", (whole / "wp-includes" / "version.php").read_text())
    assert found, whole
    return found[1]
