"""`python -m workers QUEUE` works on one queue, `python -m workers clock` is the clock; settings from the
environment.
"""

from __future__ import annotations

import signal
import sys
import threading

from service import logs
from service.outbound.addresses import parse_openings
from service.settings import read_settings
from service.storage.accounts.secret_box import NoSecretKey, SecretBox
from service.storage.redis_store.job_kinds import QUEUES
from service.storage.redis_store.server_check import UnfitServer
from workers.clock import run_clock
from workers.jobs import run_worker
from workers.resources import open_resources


def run(name: str) -> None:
    """Be one process of the pipeline until SIGTERM or SIGINT: a queue's worker, or the clock.

    Raises ValueError for another name, and without REDIS_URL or with a malformed setting; NoSecretKey without a key for
    stored secrets, UnfitServer for a Redis that cannot be used.
    """
    if name != "clock" and name not in QUEUES:
        raise ValueError(f"{name!r} is neither a queue nor the clock: {', '.join((*QUEUES, 'clock'))}")
    settings = read_settings()
    parse_openings(settings.outbound_allow)
    logs.configure(settings.log_level, name if name == "clock" else f"worker-{name}")
    resources = open_resources(settings)
    try:
        SecretBox(settings).check()
        if name == "clock":
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda signum, frame: stop.set())
            run_clock(resources, stop)
        else:
            run_worker(name, resources)
    finally:
        resources.close()


def main(arguments: list[str]) -> int:
    """The process's exit code: 0 ended on request, 1 no key for stored secrets or no Redis that fits, 2 wrong usage."""
    if len(arguments) != 1:
        print(f"usage: python -m workers {'|'.join((*QUEUES, 'clock'))}", file=sys.stderr)
        return 2
    try:
        run(arguments[0])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except (NoSecretKey, UnfitServer) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
