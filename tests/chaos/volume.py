"""A folder on a small file system of its own, which can be full or read-only while files in it are open.

Full: the file system is made as small as what it holds, so that not a byte is left (nothing has to be written for it).
Read-only: a read-only view is laid over it; what is open stays open, and whoever opens a file finds it read-only.
Needs root on Linux.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

SIZE_MB = 2_048  # a bound: only what is written takes memory


class Volume:
    """The folder; `works` is false where file systems cannot be mounted, and then it is an ordinary one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.works = _done("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=755", "brigadewatch-data", str(folder))

    def fill(self) -> None:
        """Leave no room. Raises RuntimeError if it stays."""
        for _ in range(100):  # what is written meanwhile makes one size too small
            there = os.statvfs(self.folder)
            used = (there.f_blocks - there.f_bfree) * there.f_frsize
            if _done("mount", "-o", f"remount,size={used}", str(self.folder)):
                return
        raise RuntimeError(f"{self.folder} could not be made full")

    def empty(self) -> None:
        """Make room again."""
        subprocess.run(["mount", "-o", f"remount,size={SIZE_MB}m", str(self.folder)], check=True, capture_output=True)

    def close_to_writes(self) -> None:
        """Lay the read-only view over it. Raises RuntimeError if it still takes files."""
        for words in (("--bind", str(self.folder), str(self.folder)), ("-o", "remount,bind,ro", str(self.folder))):
            subprocess.run(["mount", *words], check=True, capture_output=True)
        if not os.statvfs(self.folder).f_flag & os.ST_RDONLY:
            raise RuntimeError(f"{self.folder} could not be made read-only")

    def open_to_writes(self) -> None:
        """Make the view writable: who has files open through it keeps them."""
        subprocess.run(["mount", "-o", "remount,bind,rw", str(self.folder)], check=True, capture_output=True)

    def close(self) -> None:
        """Unmount it, with every view."""
        while self.works and _done("umount", "--lazy", str(self.folder)):
            pass


def _done(*words: str) -> bool:
    with suppress(OSError):
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    return False
