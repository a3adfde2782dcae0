"""The form of the code: names that mean one thing, files and functions that a person can take in, folders that look one
way (the import contracts in pyproject.toml hold the rest).
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STORAGE = ROOT / "service" / "storage"
MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION, MOST_STORAGE_ARROWS = 400, 60, 30


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every file of service/ and workers/ with its syntax tree; migrations are history and stay as they were."""
    for room in ("service", "workers"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT), ast.parse(path.read_text())


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path, _ in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE} == {}


WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def test_the_wall_clock_is_read_in_one_place() -> None:
    places = set()
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in WALL_CLOCKS:
                places.add(str(path))
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                places |= {str(path) for alias in node.names if alias.name in ("time", "time_ns")}
    assert places == {"service/wall_clock.py"}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long[f"{path}:{node.name}"] = lines
    assert long == {}


def test_the_folders_of_storage_depend_on_few_of_each_other() -> None:
    arrows = set()
    for path, tree in modules():
        if not path.is_relative_to(STORAGE.relative_to(ROOT)) or len(path.parts) < 4:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("service.storage"):
                names = [f"{node.module}.{alias.name}".split(".") for alias in node.names]
                arrows |= {(path.parts[2], name[2]) for name in names if name[2] != path.parts[2]}
    folders = {path.name for path in STORAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {folder for arrow in arrows for folder in arrow} == folders, "the walk saw every folder"
    assert len(arrows) <= MOST_STORAGE_ARROWS, sorted(arrows)
