"""A rolling upgrade: an older version's processes beside this one's, on the same stores, while a client posts.

    python tests/chaos/rolling.py [--old e7dd646] [--database sqlite|postgresql] [--complaints 6000]

Needs the repository's history: the older version is checked out beside. Four stages, each while two posters send:
everything old; this version's API beside the old processes; old workers killed and restarted; everything new. Then the
guarantees of tests/chaos/proofs.py must hold. At last the database is given the schema of a version to come, a worker
is killed, and its successor has to refuse in one line, and to work again once the schema is what it knows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

import backup  # noqa: E402  (the test folders are not packages)
from fortnight import documents_of  # noqa: E402
from installation import Installation  # noqa: E402
from listening import free_port  # noqa: E402
from posting import Posters  # noqa: E402
from proofs import prove  # noqa: E402
from sqlalchemy import text  # noqa: E402
from up import environment  # noqa: E402

from service.settings import read_settings  # noqa: E402
from service.storage.sql.engine import HEAD, open_database, write  # noqa: E402

STAGE_SECONDS, REST_SECONDS = 15.0, 600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", default="e7dd646", help="commit of the older version (default: %(default)s)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--complaints", type=int, default=6_000, help="of the world, half of which are posted")
    chosen = parser.parse_args()
    documents = documents_of(1, chosen.complaints)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="brigadewatch-rolling-")))
        folder.chmod(0o755)  # PostgreSQL runs as another user
        old = folder / "old"
        git = ["git", "-C", str(REPOSITORY), "worktree"]
        subprocess.run([*git, "add", "--detach", "--force", str(old), chosen.old], check=True, capture_output=True)
        stack.callback(subprocess.run, [*git, "remove", "--force", str(old)], check=True, capture_output=True)
        installation = Installation(folder, chosen.database, tree=old)
        stack.callback(installation.close)
        installation.set_tenant_up()
        stage("everything old")
        rate = len(documents) / (STAGE_SECONDS * 5)
        half = len(documents) // 2
        first = Posters(installation.url, installation.key, documents[:half], rate=rate / 2, seed=1)
        stack.callback(first.stop)
        time.sleep(STAGE_SECONDS)
        stage("the new API beside it")
        port = free_port()
        beside = start_api(installation, port, folder / "beside.log")
        stack.callback(lambda: (beside.terminate(), beside.wait(30)))
        second = Posters(f"http://127.0.0.1:{port}", installation.key, documents[half:], rate=rate / 2, seed=2)
        stack.callback(second.stop)
        time.sleep(STAGE_SECONDS)
        stage("old workers killed, old ones again")
        for name in ("worker-ingest", "worker-detect", "worker-sweep"):
            installation.parts()[name].kill()
        time.sleep(STAGE_SECONDS)
        stage("everything new")
        installation.tree = None
        installation.process.terminate()
        installation.restart()
        for posters in (first, second):
            posters.hurry()
            posters.join(REST_SECONDS)
        copy = folder / "backup"
        backup.take(installation, copy)
        journal = first.journal
        for name in ("acknowledged", "outcomes", "withdrawn"):
            getattr(journal, name).update(getattr(second.journal, name))
        journal.position = max(journal.position, second.journal.position)
        journal.calls += second.journal.calls
        journal.answers.update(second.journal.answers)
        journal.unexpected += second.journal.unexpected
        installation.wait(lambda: at_rest(installation, journal.position), REST_SECONDS, "everything is swept")
        found = prove(installation, journal, documents, folder, copy)
        for proof in found:
            print(f"{proof.verdict:9}  {proof.claim}: {proof.counted}", flush=True)
        refused = schema_to_come(installation)
    return 0 if refused and all(proof.held is not False for proof in found) else 1


def stage(name: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {name}", flush=True)


def start_api(installation: Installation, port: int, log: Path) -> subprocess.Popen[bytes]:
    """This version's API on the installation's stores; returns once it answers."""
    words = ["--data", str(installation.data), "--port", str(port), "--ops-port", str(free_port())]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "api", *words],
            stdout=out,
            stderr=out,
            env=environment(**installation.variables),
        )
    installation.wait(lambda: installation.status(port, "/readyz") == 200, 60, "the new API is ready")
    return process


def schema_to_come(installation: Installation) -> bool:
    """Whether a worker that starts on the schema of a version to come refuses, and works again on its own."""
    engine = open_database(read_settings(installation.data, installation.variables).database_url)
    log = "worker-ingest"

    def set_version(version: str) -> None:
        with write(engine) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})

    try:
        set_version("9999")
        before = len(installation.log(log))
        installation.parts()[log].kill()
        installation.wait(lambda: "newer version" in installation.log(log)[before:], 30, "the worker refuses")
        told = installation.log(log)[before:]
        set_version(HEAD)
        position = installation.probe() or 0
        seconds = installation.wait(
            lambda: (installation.pipeline() or {"analysed_position": -1})["analysed_position"] >= position > 0,
            60,
            "the worker is back",
        )
    finally:
        engine.dispose()
    clean = "Traceback" not in told
    print(
        f"{'yes' if clean else 'NO '}  a worker refuses a schema to come, and works again after {seconds:.1f} s:"
        f" {told.strip().splitlines()[-1][:200]}"
    )
    return clean


def at_rest(installation: Installation, position: int) -> bool:
    """Whether everything up to the position is analysed and swept."""
    state = installation.pipeline()
    return state is not None and state["pending"] == 0 and state["swept_position"] == state["accepted"] >= position


if __name__ == "__main__":
    sys.exit(main())
