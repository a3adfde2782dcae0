"""What the documents promise is there: every setting, path, link and command that they name, and no machine's name in
a lock file.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
DOCUMENTS = sorted(
    path
    for folder in (".", "docs", "bench", "clients", "deploy")
    for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
)
GENERATED = {"bench/out"}  # made by a command, in no commit
PATH = re.compile(r"(?<![\w./-])(?:(?:service|workers|tests|docs|bench|deploy|clients)/[\w./*-]*\w)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


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


def test_every_path_that_a_document_names_exists() -> None:
    """Paths of the repository in prose and in code alike; a how-to guide may name the files that it has the reader
    create.
    """
    missing: dict[str, list[str]] = {}
    for document in DOCUMENTS:
        text = document.read_text()
        created = set(
            re.findall(r"[Cc]reate\s+`([^`]+)`|for instance\s+`([^`]+)`|, in\s+`(service/polling/example.py)`", text)
        )
        named = {name.rstrip("./") for name in PATH.findall(text)} - {name for names in created for name in names}
        absent = [name for name in sorted(named) if not _exists(name)]
        if absent:
            missing[str(document.relative_to(ROOT))] = absent
    assert missing == {}


def test_every_link_between_documents_leads_to_a_file_and_a_heading() -> None:
    broken: dict[str, list[str]] = {}
    for document in DOCUMENTS:
        for link in LINK.findall(FENCED.sub("", document.read_text())):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            there = (document.parent / path).resolve() if path else document
            if not there.exists() or (anchor and there.suffix == ".md" and anchor not in _anchors(there)):
                broken.setdefault(str(document.relative_to(ROOT)), []).append(link)
    assert broken == {}


def _exists(name: str) -> bool:
    """Whether a path is there: as it stands, as a pattern, or shortened (a module, a decision by its number)."""
    return (
        name in GENERATED or (ROOT / name).exists() or any(list(ROOT.glob(name + end)) for end in ("", ".py", "-*.md"))
    )


def _anchors(document: Path) -> set[str]:
    """The anchors that code browsers give a document's headings."""
    headings = re.findall(r"^#+ +(.+)$", FENCED.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-") for heading in headings}


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
    named = re.findall(
        r"(?<![/\w.-])brigadewatch ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?",
        "\n".join(re.findall(r"`[^`]+`|^ {4}.+$|^brigadewatch .+$", (ROOT / document).read_text(), re.MULTILINE)),
    )
    assert named
    for first, second in named:
        assert first in known, f"brigadewatch {first}"
        if hasattr(known[first], "commands") and second:
            assert second in known[first].commands, f"brigadewatch {first} {second}"


@pytest.mark.parametrize("file", ["requirements.lock", "docs/requirements.lock"])
def test_a_lock_has_hashes_and_names_no_host(file: str) -> None:
    lock = (ROOT / file).read_text()
    assert "://" not in lock
    assert not re.search(r"^\s*-", lock.replace("    --hash", ""), re.MULTILINE)
    for entry in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry


def test_the_lock_pins_every_declared_dependency() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower().replace("_", "-") for requirement in declared}  # type: ignore[index]
    assert names <= pinned
