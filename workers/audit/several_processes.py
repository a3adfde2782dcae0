"""What the processes that share the work of an audit have in common."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.context import ForkContext, SpawnContext

from service.errors import Refused


def context_here() -> ForkContext | SpawnContext:
    """How processes are started.

    A forked process shares the memory of the first; elsewhere than on Linux forking is unsafe, and it is copied.
    """
    if sys.platform == "linux":
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def stay_with_parent() -> None:
    """End when the first process ends, and ignore Ctrl-C, which that one handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def ended_from_outside(processes: int) -> Refused:
    """The error for a process that died."""
    return Refused(
        f"one of the {processes} processes of the audit was killed, probably because memory ran out: --processes 1"
        " needs the least"
    )


def _end_with_parent() -> None:
    """A killed parent cannot end its processes, and they would wait for their next work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
