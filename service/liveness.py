"""Health check of a container: a file whose modification time says until when its process counts as alive, in seconds
of the monotonic clock, which all processes of a host share. So a step of the wall clock ends nobody and keeps nobody
alive.

Each process updates the file from its main loop, not from a separate thread, so that a hanging process stops doing it.
Neither Redis nor the database is involved: a process that waits for them is alive. `python -m service.liveness FILE` is
the image's health check; it imports nothing else, since it runs every few seconds beside each process.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

# every loop takes a few seconds at most; a longer job announces how long it may take
BELIEVED_SECONDS = 30.0
LONGEST_SECONDS = 7_200.0  # longer than any job may take: a later time is of before the host was started


def say_alive(file: Path | None, seconds: float = BELIEVED_SECONDS) -> None:
    """Record that this process is alive and will report again within `seconds`; does nothing if `file` is None."""
    if file is None:
        return
    until = max(0.0, time.monotonic() + seconds)
    with suppress(OSError):  # a full or read-only disk: the process counts as dead, which an operator will notice
        file.touch(mode=0o600)
        os.utime(file, (until, until))


def forget_predecessor(file: Path | None) -> None:
    """A process starts: what an earlier one in the same place reported does not count for it. Files of a container that
    is restarted inside its pod are still there, and its last job may have announced an hour.
    """
    if file is not None:
        with suppress(OSError):  # as above
            file.unlink(missing_ok=True)


def silence(file: Path, now: float) -> str | None:
    """Why the process behind the file does not count as alive at `now` (monotonic seconds); None if it does."""
    try:
        until = file.stat().st_mtime
    except OSError as error:
        return f"{file}: {error.strerror or error}"
    if until > now + LONGEST_SECONDS:
        return f"{file}: left over from before the host was started: the process has not reported since"
    return None if until >= now else f"{file}: the process is {now - until:.0f} s late with its next sign of life"


if __name__ == "__main__":
    found = silence(Path(sys.argv[1]), time.monotonic())
    print(found or "alive")
    sys.exit(found is not None)
