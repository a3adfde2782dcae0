"""What people read is in plain English: errors, help texts, docstrings of public functions, the OpenAPI document.

The worst patterns are listed here. Every file of the service, the workers and the client belongs to an area.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from typer.main import get_command

from service.app import create_app
from service.cli import app
from service.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
CHECKED = {
    "API": (
        "service/api",
        "service/app.py",
        "service/model.py",
        "service/fields.py",
        "service/errors.py",
        "service/settings.py",
        "service/time_zones.py",
        "service/moderation/target_assessment.py",
    ),
    "intake": ("service/intake",),
    "platforms": ("service/platforms", "service/polling"),
    "outgoing requests": ("service/webhooks", "service/outbound", "service/single_sign_on", "service/notifications"),
    "clients": ("clients/python/src",),
    "workers": ("workers",),
    "storage": ("service/storage",),
    "operations": ("service/ops", "service/logs.py", "service/policy.py"),
    "console": ("service/console",),
    "moderation": ("service/moderation",),
    "charts": ("service/charts",),
    "tables": ("service/tabular",),
    "commands": (
        "service/commands",
        "service/cli.py",
        "service/demo",
        "service/supervisor.py",
        "service/store_start.py",
        "service/embedded_redis.py",
        "service/replay.py",
        "service/serving.py",
        "service/data_folder.py",
        "service/liveness.py",
        "service/wall_clock.py",
    ),
}
PATTERNS = {
    "is no X": r"\b(?:is|are|was|were) no (?!longer\b|more than\b|less than\b|fewer than\b|such\b|later than\b)[a-z]",
    "anew": r"\banew\b",
    "whoever": r"\bwho(?:so)?ever\b",
    "be told": r"\b(?:be|been|is|are|was|were) told\b",
    "tell apart": r"\btold apart\b",
    "somebody shall": r"\b(?:somebody|someone|nobody) (?:else )?shall\b",
    "broken off": r"\bbroken off\b",
    "by itself": r"\bby itself\b",
    "the same is so": r"\bthe same is so\b",
    "that there are": r"\bthat there are\b",
    "no more at the end": r"\bno more\.?\Z",
    "is asked (polled)": r"\b(?:platform|source|server) (?:that )?(?:is|are) asked\b",
    "exponent": r"\b10\^\d",
    "a field's name and value": r"\bis_reply = (?:true|false)\b",
    "unclear 'none'": r"\band is none\b",
}
# "there is no" is ordinary English
THERE_IS_NO = re.compile(r"\b(?:there|here) (?:is|are|was|were) no\b", re.IGNORECASE)
ALLOWED: frozenset[str] = frozenset()  # whole texts, each with its reason
SCRIPT_TEXT = re.compile(r"""(?:"[^"\n]*"|'[^'\n]*'|`[^`]*`)""")  # a string literal of JavaScript
MARKUP = re.compile(r"\{[{%#].*?[}%#]\}|<[^>]*>", re.DOTALL)


def faults(text: str) -> list[str]:
    """Names of the patterns that the text contains."""
    if text in ALLOWED:
        return []
    ordinary = THERE_IS_NO.sub("there is none of", " ".join(text.split()))
    return [name for name, pattern in PATTERNS.items() if re.search(pattern, ordinary, re.IGNORECASE)]


def texts_of(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every string literal, f-string and docstring, except docstrings of private functions and classes.

    An f-string is one text, with `…` for what is inserted.
    """
    tree = ast.parse(source)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name.startswith("_"):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                skipped.add(id(first.value))
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def files_of(paths: tuple[str, ...], suffix: str) -> Iterator[Path]:
    for path in paths:
        place = ROOT / path
        yield from sorted(place.rglob(f"*{suffix}")) if place.is_dir() else [place] if place.suffix == suffix else []


def faults_of(paths: tuple[str, ...]) -> list[str]:
    found = []
    for file in files_of(paths, ".py"):
        for line, text in texts_of(file.read_text()):
            found += [f"{file.relative_to(ROOT)}:{line}: {name}: {text.strip()[:160]!r}" for name in faults(text)]
    for file in files_of(paths, ".html"):
        for line, text in enumerate(MARKUP.sub(" ", file.read_text()).splitlines(), 1):
            found += [f"{file.relative_to(ROOT)}:{line}: {name}: {text.strip()[:160]!r}" for name in faults(text)]
    for file in files_of(paths, ".js"):
        if "vendor" not in file.parts:
            for line, text in enumerate(file.read_text().splitlines(), 1):
                for literal in SCRIPT_TEXT.findall(text):
                    found += [f"{file.relative_to(ROOT)}:{line}: {name}: {literal[:160]}" for name in faults(literal)]
    return found


@pytest.mark.parametrize("area", CHECKED)
def test_the_texts_of_an_area_are_plain_english(area: str) -> None:
    assert faults_of(CHECKED[area]) == []


def test_the_openapi_document_is_plain_english(tmp_path: Path) -> None:
    document = create_app(read_settings(tmp_path, {}), engine=create_engine("sqlite://")).openapi()

    def prose(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for name, part in value.items():
                if name in ("description", "summary") and isinstance(part, str):
                    yield part
                elif name not in ("example", "examples"):
                    yield from prose(part)
        elif isinstance(value, list):
            for part in value:
                yield from prose(part)

    assert [(name, text) for text in prose(json.loads(json.dumps(document))) for name in faults(text)] == []


def commands_in(command: object, path: str = "brigadewatch") -> Iterator[tuple[str, Any]]:
    """(name, command) of a click command and everything below it."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands_in(below, f"{path} {name}")


def test_the_help_of_every_command_is_plain_english() -> None:
    found, seen = [], 0
    for path, command in commands_in(get_command(app)):
        seen += 1
        texts = [command.help or "", *(getattr(each, "help", None) or "" for each in command.params)]
        found += [f"{path}: {name}: {text!r}" for text in texts for name in faults(text)]
    assert found == []
    assert seen > 20, "the commands are found"


def test_every_file_of_the_service_and_the_workers_belongs_to_an_area() -> None:
    listed = [path for paths in CHECKED.values() for path in paths]
    missing = [
        str(file.relative_to(ROOT))
        for file in files_of(("service", "workers"), ".py")
        if not any(f"{file.relative_to(ROOT)}".startswith(path) for path in listed) and file.name != "__init__.py"
    ]
    assert missing == []


@pytest.mark.parametrize(
    "text",
    [
        "the body is no JSON",
        "read the list anew",
        "whoever posts",
        "Who is told?",
        "somebody else shall look",
        "broken off",
        "it moves by itself",
    ],
)
def test_the_check_finds_the_worst_patterns(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize("text", ["there is no tenant of that name", "it is no longer valid", "this is no more than 5"])
def test_the_check_lets_ordinary_english_pass(text: str) -> None:
    assert faults(text) == []
