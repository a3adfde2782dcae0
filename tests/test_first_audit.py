"""The README's way from a file to a report, as printed; the environment of the tests stands for `make install`."""

from __future__ import annotations

import sys
from pathlib import Path

import first_audit
from up import environment


def test_the_readme_leads_from_a_foreign_file_to_a_report_in_three_commands(tmp_path: Path) -> None:
    lines = first_audit.commands()
    assert len(lines) <= first_audit.MOST_COMMANDS and lines[0] == first_audit.INSTALLING
    program = tmp_path / ".venv" / "bin" / "brigadewatch"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m service.cli "$@"\n')
    program.chmod(0o755)
    first_audit.foreign_csv(tmp_path / "flags.csv")
    first_audit.run("\n".join(lines[1:]), tmp_path, environment(PYTHONPATH=str(first_audit.ROOT)))
    first_audit.check(tmp_path)
