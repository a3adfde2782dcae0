"""Faults of the database and of the disk that it lies on. While one lasts, readiness has to say so."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from subprocess import CalledProcessError

import psutil
from fault import Fault, kill, running
from installation import TENANT, Installation

from service.settings import read_settings
from service.storage.sql.engine import open_database, write

# one complaint in ten, and this run's own withdrawals, so that there is something also when all is posted
_REFUSED = {"complaints": "NEW.id LIKE '%7'", "withdrawals": "NEW.complaint_id LIKE 'probe-%'"}
_FUNCTION = (
    "CREATE OR REPLACE FUNCTION chaos_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused"
    " by the chaos run' USING ERRCODE = '23514'; END $$"
)
_HIT_BY_A_READ_ONLY_FOLDER = ("api", "worker-ingest", "worker-detect", "worker-chores")


def database_faults(installation: Installation) -> list[Fault]:
    """Those that are possible on this machine, with the installation's database."""
    found = [Fault("complaints refused by the database, dead letters sent again", 0, 0.7, _dead_letters)]
    if installation.volume.works:
        found.append(Fault("disk of the database full for 2 to 6 s", 0, 1.0, _full_disk))
        found.append(Fault("data folder read-only for 2 to 6 s, a process killed in it", 1, 1.0, _read_only))
    if installation.postgres is not None:
        found.append(Fault("SIGKILL PostgreSQL", 1, 3.0, _kill))
        found.append(Fault("SIGSTOP PostgreSQL for 3 to 8 s", 0, 1.0, _freeze))
        found.append(Fault("PostgreSQL restarted", 1, 1.0, _restart))
    return found


def _kill(installation: Installation, rng: random.Random) -> None:
    assert installation.postgres is not None
    installation.postgres.kill()
    time.sleep(rng.uniform(0, 2))
    installation.postgres.restart()


def _restart(installation: Installation, rng: random.Random) -> None:
    assert installation.postgres is not None
    installation.postgres.end()
    time.sleep(rng.uniform(0, 2))
    installation.postgres.restart()


def _freeze(installation: Installation, rng: random.Random) -> None:
    assert installation.postgres is not None
    installation.postgres.freeze()
    try:
        until = time.monotonic() + rng.uniform(3, 8)
        installation.expect_unready("SIGSTOP PostgreSQL")
        time.sleep(max(0.0, until - time.monotonic()))
    finally:
        installation.postgres.thaw()


def _full_disk(installation: Installation, rng: random.Random) -> None:
    """PostgreSQL may end, since it cannot write its log; it is started once there is room."""
    installation.volume.fill()
    try:
        until = time.monotonic() + rng.uniform(2, 6)
        installation.expect_unready("disk of the database full")
        time.sleep(max(0.0, until - time.monotonic()))
    finally:
        installation.volume.empty()
    postgres = installation.postgres
    if postgres is not None:
        time.sleep(1)  # it ends some moments after its first failed write
        if postgres.process.poll() is not None:
            postgres.restart()


def _read_only(installation: Installation, rng: random.Random) -> None:
    """Who has the database open writes on; whoever opens it meanwhile cannot, and has to recover by itself."""
    process = running(installation, rng.choice(_HIT_BY_A_READ_ONLY_FOLDER))
    installation.volume.close_to_writes()
    try:
        with suppress(psutil.NoSuchProcess):  # it has ended by itself, and is started again
            kill(process)
        time.sleep(rng.uniform(2, 6))
    finally:
        installation.volume.open_to_writes()


def _dead_letters(installation: Installation, rng: random.Random) -> None:
    """A constraint refuses some complaints until they are dead letters; then it is lifted, and they are sent again."""
    engine = open_database(read_settings(installation.data, installation.variables).database_url)
    kind = engine.dialect.name
    percent = "%%" if kind == "postgresql" else "%"  # the driver's placeholders begin with one
    try:
        with write(engine) as connection:
            if kind == "postgresql":
                connection.exec_driver_sql(_FUNCTION)
            for table, which in _REFUSED.items():
                body = (
                    f"FOR EACH ROW WHEN ({which}) EXECUTE FUNCTION chaos_refuses()"
                    if kind == "postgresql"
                    else f"WHEN {which} BEGIN SELECT RAISE(ABORT, 'refused by the chaos run'); END"
                )
                connection.exec_driver_sql(
                    f"CREATE TRIGGER refuses_{table} BEFORE INSERT ON {table} {body}".replace("%", percent)
                )
        installation.wait(lambda: installation.probe() is not None, 60, "an item is taken that will be refused")
        installation.wait(lambda: (installation.pipeline() or {}).get("dead_letters"), 60, "there is a dead letter")
        with write(engine) as connection:
            for table in _REFUSED:
                on = f" ON {table}" if kind == "postgresql" else ""
                connection.exec_driver_sql(f"DROP TRIGGER refuses_{table}{on}")
    finally:
        engine.dispose()
    installation.letters_sent_again += (installation.pipeline() or {}).get("dead_letters", 0)
    installation.wait(lambda: _sent_again(installation), 60, "the dead letters are sent again")


def _sent_again(installation: Installation) -> bool:
    with suppress(CalledProcessError):  # Redis may be away, of an earlier fault of the volley
        installation.run("dead-letters", "retry", "--tenant", TENANT, "--data", str(installation.data))
        return not (installation.pipeline() or {"dead_letters": 1})["dead_letters"]
    return False
