"""The faults that strike the installation; each is undone unless the installation recovers on its own."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import psutil
from clock_steps import forty_days_forward, hour_back
from database_faults import database_faults
from fault import Fault, kill, running
from installation import PARTS, Installation


def faults_of(installation: Installation) -> list[Fault]:
    """All faults that are possible on this machine."""
    redis = installation.redis
    found = [
        Fault(f"SIGKILL {part}", 1, 3.0 if part in ("api", "worker-ingest", "worker-detect") else 1.5, _killer(part))
        for part in PARTS
    ]
    found.append(Fault("SIGKILL up, and with it all of ours", 1 + len(PARTS), 0.5, _kill_up))
    found.append(Fault("SIGKILL Redis", 1, 3.0, _kill_redis))
    found.append(Fault("SIGSTOP Redis for 1 to 6 s", 0, 1.0, _stop_redis))
    if redis.cuttable:
        found.append(Fault("network to Redis cut for 1 to 6 s", 0, 1.0, _cut_redis))
    if redis.fillable:
        found.append(Fault("disk of the append-only file full", 1, 0.7, _fill_disk))
    if installation.clock is not None:
        found.append(Fault("wall clock one hour back, for good", 0, 0.7, hour_back))
        found.append(Fault("wall clock 40 days forward for 3 to 10 s", 0, 0.7, forty_days_forward))
    return found + database_faults(installation)


def _killer(part: str) -> Callable[[Installation, random.Random], None]:
    def strike(installation: Installation, rng: random.Random) -> None:
        try:
            kill(running(installation, part))
        except psutil.NoSuchProcess:  # of an earlier fault of the same volley
            strike(installation, rng)

    return strike


def _kill_up(installation: Installation, rng: random.Random) -> None:
    children = list(installation.parts().values())
    installation.process.kill()
    installation.process.wait()
    psutil.wait_procs(children, timeout=10)
    alive = [child.pid for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    if alive:
        raise RuntimeError(f"`up` was killed, but its children {alive} are still running")
    time.sleep(rng.uniform(0, 1))
    installation.restart()


def _kill_redis(installation: Installation, rng: random.Random) -> None:
    installation.redis.signal(signal.SIGKILL)
    time.sleep(rng.uniform(0, 2))
    installation.redis.start()


def _stop_redis(installation: Installation, rng: random.Random) -> None:
    installation.redis.signal(signal.SIGSTOP)
    _silent_for(installation, rng.uniform(1, 6))
    installation.redis.signal(signal.SIGCONT)


def _cut_redis(installation: Installation, rng: random.Random) -> None:
    installation.redis.cut()
    _silent_for(installation, rng.uniform(1, 6))
    installation.redis.join()


def _silent_for(installation: Installation, seconds: float) -> None:
    until = time.monotonic() + seconds
    if installation.redis.answers() or not installation.redis.lives():
        raise RuntimeError("Redis was to run on and to be silent: it answers, or has ended")
    time.sleep(max(0.0, until - time.monotonic()))


def _fill_disk(installation: Installation, rng: random.Random) -> None:
    """Redis exits at the first write that fails, and is restarted once there is room."""
    installation.redis.fill()
    installation.wait(lambda: not installation.redis.lives(), 20, "Redis ends when its disk is full")
    time.sleep(rng.uniform(0, 2))
    installation.redis.empty()
    installation.redis.start()
