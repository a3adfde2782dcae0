"""Files about people are for their owner alone: SQLite's are made so, and found ones are made so.

The umask of a command (service/cli.py) covers what it writes; here is what it cannot cover: files that were there
before, and programs that import the service. Windows aside, SQLite gives -wal and -shm the mode of the database.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)
BESIDE = ("", "-wal", "-shm", "-journal", ".migrating")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create_private(path: Path) -> None:
    """Create an empty file for its owner alone, unless it exists. An error is left to the code that opens the file."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        return


def of_database(path: Path) -> list[Path]:
    """All files that SQLite and its migrations make of a database."""
    return [path.with_name(path.name + ending) for ending in BESIDE]


def trees(folders: Iterable[Path]) -> Iterator[Path]:
    """The folders and all that is in them, without following symbolic links."""
    for folder in folders:
        if folder.is_symlink() or not folder.is_dir():
            continue
        yield folder
        for inside, _, names in os.walk(folder):
            yield from (Path(inside) / name for name in names)
            if Path(inside) != folder:
                yield Path(inside)


def tighten(paths: Iterable[Path]) -> int:
    """Take the rights of the group and of others from those that exist; one line in the log for all of them.

    Returns how many had any. A file of another user is left as it is, and named.
    """
    changed: list[str] = []
    for path in paths:
        try:
            mode = path.stat().st_mode
            if not mode & _OTHERS or path.is_symlink() or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                continue
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
            changed.append(f"{path} (was {stat.S_IMODE(mode):04o})")
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("other users may read %s, and it cannot be made private: %s", path, error.strerror)
    if changed:
        log.warning(
            "%d files were open to other users of this machine and are private now: %s%s",
            len(changed),
            ", ".join(changed[:5]),
            ", …" if len(changed) > 5 else "",
        )
    return len(changed)
