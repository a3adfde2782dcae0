"""The Node.js that `make platforms` installs, and its programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALLED = ROOT / "build" / "platforms"
PROGRAMS = ROOT / "tests" / "platforms" / "node"
WAY_OUT = "Ozone and the libraries are not installed: `make platforms` installs them (needs npm)"


def node() -> str:
    """The program: npm's own for Linux, elsewhere the one on the PATH (22 or newer)."""
    assert (INSTALLED / "node_modules" / "@atproto" / "ozone").is_dir(), WAY_OUT
    ours = sorted(INSTALLED.glob("node_modules/node-linux-*/bin/node"))
    found = str(ours[0]) if ours else shutil.which("node")
    assert found, "install Node.js 22 or newer"
    return found


def ask(program: str, question: Any) -> Any:
    """What a program says to one JSON document on standard input, as JSON too."""
    done = subprocess.run(
        [node(), str(PROGRAMS / program), str(INSTALLED)],
        input=json.dumps(question).encode(),
        capture_output=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
