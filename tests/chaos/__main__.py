"""Kill every process at random while a client posts, and prove that nothing was lost.

    python tests/chaos [--kills 200] [--database sqlite|postgresql] [--seed 1] [--report docs/chaos.md] [--quick]

Two posters send a fortnight of a generated world (complaints, outcomes, withdrawals), repeating each batch until it is
acknowledged. Meanwhile volleys of one to three faults strike at random moments: SIGKILL of the API, each worker, the
clock, `up` itself, Redis or PostgreSQL; Redis stopped, disconnected, or with a full disk; PostgreSQL stopped or
restarted; the database's disk full, its folder read-only; complaints that the database refuses for a while; the wall
clock of all processes an hour back, or forty days forward for some seconds. After each volley the run measures the time
until recovery; at the end the rest is posted, and tests/chaos/proofs.py checks the stores, and a backup that was taken
half-way. Network and disk faults need root on Linux (a network namespace, a small tmpfs), clock steps a C compiler on
Linux; without it they are skipped, and the report says so. The same seed strikes at the same moments. Exit code 0: all
guarantees held; 1: at least one did not.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

import backup  # noqa: E402  (the test folders are not packages)
from fault import Fault  # noqa: E402  (the test folders are not packages)
from faults import faults_of  # noqa: E402
from fortnight import documents_of  # noqa: E402
from installation import PARTS, Installation  # noqa: E402
from posting import Posters  # noqa: E402
from proofs import prove  # noqa: E402
from report import HEAL_SECONDS, Run, write  # noqa: E402

GIVE_UP_SECONDS = 180.0
REST_SECONDS = 900.0


def volleys(
    installation: Installation, posters: Posters, run: Run, kills: int, rng: random.Random, *, every_kind: bool
) -> None:
    """Strike until enough processes were killed, and each kind of fault has struck if `every_kind`, letting the
    installation recover after each volley.
    """
    faults = faults_of(installation)
    strange = [fault for fault in faults if not fault.kills]
    while run.kills < kills or (every_kind and any(not run.strikes[fault.name] for fault in faults)):
        owed = [fault for fault in faults if not run.strikes[fault.name]] if run.kills >= kills else []
        chosen: list[Fault] = owed[:1] or rng.choices(
            faults, [fault.weight for fault in faults], k=rng.choice((1, 1, 2, 2, 3))
        )
        if sum(fault in strange for fault in chosen) > 1:
            continue
        time.sleep(rng.uniform(0.1, 1.5))
        for fault in chosen:
            fault.strike(installation, rng)
            run.strikes[fault.name] += 1
            run.kills += fault.kills
            run.others += not fault.kills
            time.sleep(rng.uniform(0, 0.8))
        seconds = _until_healed(installation, posters, f"recovery from {[f.name for f in chosen]}")
        run.healing.append((seconds, tuple(fault.name for fault in chosen)))
        print(
            f"  {run.kills:4} of {kills} kills; recovered {seconds:5.1f} s after {', '.join(f.name for f in chosen)}",
            flush=True,
        )


def _until_healed(installation: Installation, posters: Posters, what: str) -> float:
    """Seconds until all processes run, and an item sent from now on is acknowledged and analysed, with all acknowledged
    before it.
    """
    positions: list[int] = []

    def acknowledged() -> bool:
        position = installation.probe()
        positions.extend([] if position is None else [position])
        return bool(positions)

    def analysed() -> bool:
        state = installation.pipeline()
        return (
            state is not None
            and state["analysed_position"] >= positions[0]
            and set(PARTS) <= installation.parts().keys()
        )

    return installation.wait(acknowledged, GIVE_UP_SECONDS, what) + installation.wait(analysed, GIVE_UP_SECONDS, what)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python tests/chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--kills", type=int, default=200, help="minimum number of processes to kill (default: %(default)s)"
    )
    parser.add_argument(
        "--database", choices=("sqlite", "postgresql"), default="sqlite", help="database to use (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the world, the faults and their moments (default: %(default)s)"
    )
    parser.add_argument(
        "--complaints",
        type=int,
        default=200_000,
        help="complaints in the world of 28 days, half of which are posted (default: %(default)s)",
    )
    parser.add_argument(
        "--rate", type=float, default=120.0, help="documents per second while faults strike (default: %(default)s)"
    )
    parser.add_argument("--report", type=Path, help="document to write the results into, between its markers")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="new folder for all data, kept afterwards (default: a temporary one)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="25 kills and 9,000 complaints, about two minutes; the recovery time is printed but has no limit",
    )
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.kills, chosen.complaints, chosen.rate = 25, 9_000, 60.0
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # everything started and mounted is cleaned up on the way out
    rng = random.Random(chosen.seed)
    documents = documents_of(chosen.seed, chosen.complaints)
    given = [
        f"--{name} {getattr(chosen, name)}"
        for name in ("database", "seed", "kills")
        if getattr(chosen, name) != parser.get_default(name)
    ]
    run = Run(" ".join(["python tests/chaos", *given]), chosen.database, chosen.seed, len(documents))
    began = time.monotonic()
    with ExitStack() as stack:
        folder = chosen.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="brigadewatch-chaos-", ignore_cleanup_errors=True))
        )
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        installation = Installation(folder, chosen.database)
        stack.callback(installation.close)
        run.missing = [
            what
            for what, can in (
                ("the network cut", installation.redis.cuttable),
                ("the full disk", installation.redis.fillable),
                ("the database's full disk and the read-only folder", installation.volume.works),
                ("steps of the wall clock", installation.clock is not None),
            )
            if not can
        ]
        installation.set_tenant_up()
        print(
            f"{len(documents):,} documents, {chosen.kills} kills, database {chosen.database}, seed {chosen.seed}, in"
            f" {folder}" + "".join(f"; skipped, since unavailable here: {m}" for m in run.missing),
            flush=True,
        )
        posters = Posters(installation.url, installation.key, documents, rate=chosen.rate, seed=chosen.seed)
        stack.callback(posters.stop)
        volleys(installation, posters, run, chosen.kills // 2, rng, every_kind=False)
        copy = folder / "backup"
        backup.take(installation, copy)
        volleys(installation, posters, run, chosen.kills, rng, every_kind=True)
        posters.hurry()
        posters.join(REST_SECONDS)
        installation.wait(
            lambda: _at_rest(installation, posters.journal.position), REST_SECONDS, "everything is analysed and swept"
        )
        run.proofs = prove(installation, posters.journal, documents, folder, copy)
    run.seconds = time.monotonic() - began
    print(run.text())
    if chosen.report:
        write(chosen.report, run)
    print(
        "All guarantees held" if run.held() else "NOT all guarantees held",
        "." if run.soon() else f"; recovery took more than {HEAL_SECONDS:.0f} s.",
        sep="",
    )
    return 0 if run.held() and (run.soon() or chosen.quick) else 1


def _at_rest(installation: Installation, position: int) -> bool:
    state = installation.pipeline()
    return state is not None and state["pending"] == 0 and state["swept_position"] == state["accepted"] >= position


if __name__ == "__main__":
    sys.exit(main())
