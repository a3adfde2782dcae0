"""Run one command and print what it used, as JSON: `wall` and `cpu` seconds, `gigabytes`, and its exit `code`.

    python bench/resources_used.py SECONDS OUTPUT COMMAND...

The command is killed with all it started after SECONDS; its `code` is then null. Its standard output goes to the file
OUTPUT, its errors to OUTPUT.err. Processes that the command has started and waited for are included; of memory, the
largest process counts. Imports little on purpose: a new process is charged with the memory of the one that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from types import FrameType


def main() -> None:
    limit, printed, *command = sys.argv[1:]
    with Path(printed).open("wb") as output, Path(f"{printed}.err").open("wb") as errors:
        started = time.perf_counter()
        process = Popen(command, stdout=output, stderr=errors, start_new_session=True)
        stopped = False

        def stop(*_: int | FrameType | None) -> None:
            nonlocal stopped
            stopped = True
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        signal.signal(signal.SIGALRM, stop)
        signal.alarm(int(limit))
        try:
            _, status, used = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            stop()
            raise
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    figures = {
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "gigabytes": used.ru_maxrss / 2**20,
        "code": None if stopped else process.returncode,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
