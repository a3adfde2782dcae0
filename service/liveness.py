"""Whether the process of this container lives: a file whose time says until when that is to be believed.

A process says it from its own loop, not from a thread beside it, so that one that hangs falls silent. It asks nothing
of Redis or the database: while those are away, whoever waits for them lives all the same. `python -m service.liveness
FILE` is the image's health check; it loads nothing else, since it runs every few seconds beside each process.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

# every loop comes round within a few; one that works on something longer says how long that may take
BELIEVED_SECONDS = 30.0


def say_alive(file: Path | None, seconds: float = BELIEVED_SECONDS) -> None:
    """This process lives, and will say so again within `seconds`; None: nobody asks."""
    if file is None:
        return
    until = time.time() + seconds
    with suppress(OSError):  # a full or foreign folder: it is taken for dead, which somebody will look into
        file.touch(mode=0o600)
        os.utime(file, (until, until))


def silence(file: Path, now: float) -> str | None:
    """Why the process behind the file is not to be believed alive at `now` (seconds since 1970); None: it is."""
    try:
        until = file.stat().st_mtime
    except OSError as error:
        return f"{file}: {error.strerror or error}"
    return (
        None
        if until >= now
        else f"{file}: nothing was heard of the process for {now - until:.0f} s longer than it had announced"
    )


if __name__ == "__main__":
    found = silence(Path(sys.argv[1]), time.time())
    print(found or "alive")
    sys.exit(found is not None)
