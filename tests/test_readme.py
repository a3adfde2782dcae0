"""The README's five-minute part, executed as printed: on a new data folder, with whatever ports are free."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from up import end_with_the_tests, environment

ROOT = Path(__file__).parents[1]
INSTALLING = "make install\n. .venv/bin/activate\n"
STOP_AT_EXIT = "trap 'kill $(jobs -p) 2> /dev/null || :' EXIT\n"  # also when the test run is killed
UNTIL_ANALYSED = """
for attempt in $(seq 100); do
  answer=$(curl -s -H "Authorization: Bearer $KEY" "$API/v1/targets/t-5?threshold=8")
  case $answer in *'"pending":true'*) sleep 0.2;; *) break;; esac
done
echo "$answer"
"""


def five_minutes() -> list[str]:
    """The shell blocks of the section, in order."""
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## Five minutes for a platform's engineer\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README uses curl")
def test_the_five_minute_part_of_the_readme_runs_as_printed(tmp_path: Path) -> None:
    first, *steps, stop = five_minutes()
    assert first.startswith(INSTALLING), "the test replaces these two lines with the environment that it runs in"
    program = tmp_path / "bin" / "brigadewatch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m service.cli "$@"\n')
    program.chmod(0o755)
    variables = environment(PYTHONPATH=str(ROOT), PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    script = STOP_AT_EXIT + "\n".join(
        [first.removeprefix(INSTALLING), *(f"{step}\necho" for step in steps), UNTIL_ANALYSED, stop]
    )
    with (tmp_path / "stderr").open("w+") as stderr:
        shell = subprocess.Popen(
            ["bash", "-e", "-c", f"{script}\nwait"],
            cwd=tmp_path,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
            preexec_fn=end_with_the_tests,
        )
        try:
            output, _ = shell.communicate(timeout=100)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGTERM)
                shell.wait()
        stderr.seek(0)
        assert shell.returncode == 0, stderr.read()
    complaint, outcome, at_once, reported, analysed = map(json.loads, filter(None, output.splitlines()))
    assert (complaint["accepted"], outcome["accepted"]) == (1, 1)
    assert (at_once["target_id"], at_once["recommendation"]) == ("t-5", "none")
    assert at_once["complaints"] in (0, 1) and at_once["pending"] in (True, False)
    assert (reported["accepted"], [one["recommendation"] for one in reported["assessments"]]) == (1, ["none"])
    assert (analysed["complaints"], analysed["pending"]) == (2, False)
    assert (tmp_path / "brigadewatch-data").is_dir()
