"""A folder for what an engine spills, gone when the work is done, and after a kill at the next start."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX, LOCK = "brigadewatch-large-", ".in-use"


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, which only this user can read; what killed processes left there is removed first.

    A folder is in use as long as its process holds the lock in it, which ends with the process whatever ends that: ids
    of processes would not do, since in containers that share a volume they are all alike. Raises OSError.
    """
    remove_left(parent)
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder, lock = _made(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _made(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # 0700
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / LOCK).exists():  # nobody took it for left over before it was locked
            return folder, lock
        os.close(lock)


def remove_left(parent: Path) -> None:
    """Remove the folders of processes that have ended."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process removes it, or another user's process made it
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
