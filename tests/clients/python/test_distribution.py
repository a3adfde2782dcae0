"""The client as it is handed out."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

CLIENT = Path(__file__).parents[3] / "clients" / "python"


def test_the_wheel_builds_offline_and_holds_types_and_one_dependency(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=CLIENT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        metadata = file.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert "brigadewatch_client/py.typed" in names
    assert not [name for name in names if "test" in name]
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert [line.split(":")[1].strip().split(">")[0] for line in needed] == ["httpx"]
    (tmp_path / "elsewhere").mkdir()
    shown = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            (
                f"import sys; sys.path.insert(0, {str(wheel)!r}); import brigadewatch_client as b;"
                " print(*sorted(b.__all__)[:3])"
            ),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path / "elsewhere",
        check=True,
    )
    assert shown.stdout.split() == ["Advice", "Assessment", "AsyncClient"]
