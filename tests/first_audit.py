"""From nothing to a report: a fresh clone, a foreign CSV file, and the commands of the README as printed. `make
first-audit` runs it with a new installation from the package index; it needs git, make, Python and nothing else.
"""

from __future__ import annotations

import csv
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADING = "## Look into a file of past reports"
MOST_COMMANDS, MOST_SECONDS = 3, 900
INSTALLING = "make install"
MEMBERS, TARGETS = 14, 12  # of the group in the file


def commands() -> list[str]:
    """The commands of the README's section, one each."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split(f"{HEADING}\n")[1].split("\n## ")[0]
    block = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[0]
    return [line for line in block.splitlines() if line.strip()]


def foreign_csv(path: Path, start: datetime = datetime(2026, 3, 2)) -> Path:  # noqa: DTZ001  as forums write it
    """A German forum's export, with semicolons: ordinary reports, and a group that reports twelve posts together."""
    draw = random.Random(17)
    rows = []
    for _ in range(1_400):
        post = draw.randrange(420)
        rows.append((f"leser{draw.randrange(380)}", 4_000 + post, f"Thema {post % 60}", draw.uniform(0, 26 * 86_400)))
    for hit in range(TARGETS):
        for member in range(MEMBERS):
            if draw.random() < 0.85:
                rows.append(
                    (f"adler{member}", 7_000 + hit, f"Thema {hit}", 86_400 * 2 * (hit + 0.5) + draw.uniform(0, 900))
                )
    with path.open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(("Melder", "Beitrag-Nr.", "Thema", "Gemeldet am", "Begründung"))
        for who, post, topic, seconds in sorted(rows, key=lambda row: row[3]):
            at = (start + timedelta(seconds=seconds)).strftime("%d.%m.%Y %H:%M")
            writer.writerow((who, post, topic, at, draw.choice(("Spam", "Beleidigung", "gehört nicht hierher"))))
    return path


def check(folder: Path) -> None:
    """The report is there, and the group that is in the file is in it."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "1 flagged group with" in page, "the page does not say what was found"
    with (folder / "report-members.csv").open(encoding="utf-8-sig", newline="") as file:
        members = {row["reporter_id"] for row in csv.DictReader(file) if row["disposition"] == "flagged"}
    assert members == {f"adler{k}" for k in range(MEMBERS)}, members


def run(script: str, folder: Path, environment: dict[str, str]) -> None:
    """Run the script as a person would, for a bounded time."""
    shell = subprocess.Popen(["bash", "-e", "-c", script], cwd=folder, env=environment, start_new_session=True)
    try:
        status = shell.wait(MOST_SECONDS)
    except BaseException:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        raise
    assert status == 0, f"exit code {status}"


def main() -> None:
    lines = commands()
    assert len(lines) <= MOST_COMMANDS, f"{len(lines)} commands are more than {MOST_COMMANDS}"
    with tempfile.TemporaryDirectory(prefix="brigadewatch-first-audit-") as empty:
        clone = Path(empty) / "brigadewatch"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
        foreign_csv(clone / "flags.csv")
        own = {
            name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS")
        }
        for line in lines:
            sys.stdout.write(f"$ {line}\n")
        sys.stdout.flush()
        run("\n".join(lines), clone, own)
        check(clone)
    sys.stdout.write(f"a report after {len(lines)} commands\n")


if __name__ == "__main__":
    main()
