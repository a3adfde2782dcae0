"""What the documents promise exists: every setting, file and command; and the lock file names no host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()


def test_the_configuration_table_has_exactly_the_variables_that_the_code_reads() -> None:
    read: set[str] = set()
    for path in (
        ROOT / "service" / "settings.py",
        ROOT / "service" / "cli.py",
        *sorted((ROOT / "service" / "commands").glob("*.py")),
    ):
        read |= set(re.findall(r'"((?:BRIGADEWATCH_[A-Z_]+|REDIS_URL|DATABASE_URL))"', path.read_text()))
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION, re.MULTILINE))
    assert table == read


def test_the_documented_defaults_are_those_of_the_code() -> None:
    from service.settings import DEFAULT_DATA, read_settings

    settings = read_settings(environ={})
    defaults = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", CONFIGURATION, re.MULTILINE))
    assert defaults["BRIGADEWATCH_DATA"] == f"`{DEFAULT_DATA}`"
    assert int(defaults["BRIGADEWATCH_MAX_BODY_BYTES"]) == settings.max_body_bytes
    assert int(defaults["BRIGADEWATCH_MAX_STREAM_ITEMS"]) == settings.max_stream_items
    assert float(defaults["BRIGADEWATCH_REDIS_TIMEOUT_SECONDS"]) == settings.redis_timeout_seconds
    assert defaults["BRIGADEWATCH_LOG_LEVEL"] == settings.log_level
    assert settings.rate_per_tenant is settings.rate_per_key is None


def test_every_document_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"\b((?:docs|bench|deploy|service)/[\w./-]*\w)", README))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(
        r"`((?:tests|clients|bench)/[\w/.-]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "threat-model.md").read_text()
    )
    assert len(named) > 40
    assert [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).exists() or (f"def {test}(" not in (ROOT / file).read_text() and test)
    ] == []


@pytest.mark.parametrize(
    "document", ["README.md", "docs/configuration.md", "docs/runbook.md", "docs/deploy.md", "docs/privacy.md"]
)
def test_every_command_that_a_document_names_exists(document: str) -> None:
    import typer

    from service.cli import app

    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    commands = re.findall(
        r"(?<![/\w.-])brigadewatch ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?",
        "\n".join(re.findall(r"`[^`]+`|^ {4}.+$|^brigadewatch .+$", (ROOT / document).read_text(), re.MULTILINE)),
    )
    assert commands
    for first, second in commands:
        assert first in known, f"brigadewatch {first}"
        if hasattr(known[first], "commands") and second:
            assert second in known[first].commands, f"brigadewatch {first} {second}"


def test_the_lock_pins_every_declared_dependency_with_hashes_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert not re.search(r"^\s*-", lock.replace("    --hash", ""), re.MULTILINE)
    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)}
    for entry in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower().replace("_", "-") for requirement in declared}  # type: ignore[index]
    assert names <= pinned
