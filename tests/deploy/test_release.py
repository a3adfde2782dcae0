"""A release: the same bytes from two surroundings, refused where something is not in order, and one changed byte shows.

The tree under test is this one, committed in a repository of its own: what is not committed here is tested too.
"""

from __future__ import annotations

import gettext
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "deploy"))

import release  # noqa: E402
import release_build  # noqa: E402
import verify_release  # noqa: E402
from pin_images import FILES, pinned, unpinned  # noqa: E402
from pin_images import main as pin_images  # noqa: E402
from release_build import Refused  # noqa: E402
from try_wheel import LOOK, Failed, answers, look  # noqa: E402

AUTHOR = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@a.example", "GIT_AUTHOR_DATE": "2026-11-22T12:00:00Z"}
AUTHOR |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in AUTHOR.items()}
TOOL = """#!{python}
import json, sys
assert sys.argv[1] == "requirements" and sys.argv[2].endswith(".lock")
print(json.dumps({{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{{"name": "numpy"}}]}}))
"""


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.hooksPath=/dev/null", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | AUTHOR).stdout.strip()


def repository(folder: Path) -> Path:
    """This tree as a repository with one commit, its version described in the changelog."""
    hidden = shutil.ignore_patterns(".*", "build", "__pycache__", "*.egg-info", "brigadewatch-data", "out", "secrets")
    shutil.copytree(ROOT, folder, ignore=hidden)
    for name in (".gitignore", ".dockerignore"):
        shutil.copy(ROOT / name, folder / name)
    numbered, changes = folder / "service" / "__init__.py", folder / "CHANGELOG.md"
    numbered.write_text(re.sub(r'__version__ = ".*"', '__version__ = "9.0.0"', numbered.read_text()))
    changes.write_text(changes.read_text().replace("## [Unreleased]", "## [9.0.0] - 2026-11-22\n\n- All.", 1))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all of it")
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module")
def made(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole release, without the image, and without installing what the lock file names."""
    scratch = tmp_path_factory.mktemp("release")
    tool = scratch / "cyclonedx-py"
    tool.write_text(TOOL.format(python=sys.executable))
    tool.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "ROOT", tree)
        assert release.release(scratch / "out", tool, tried=False, with_image=False) == 3
    return scratch / "out"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


@pytest.fixture
def changed(tree: Path, tmp_path: Path) -> Path:
    """A repository to spoil: only what `check_source` looks at."""
    folder = tmp_path / "changed"
    (folder / "service").mkdir(parents=True)
    for name in ("CHANGELOG.md", "service/__init__.py"):
        shutil.copy(tree / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


def test_two_surroundings_made_the_same_packages_and_all_of_them_are_verified(
    made: Path, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {path.name for path in made.iterdir()}
    assert {re.sub(r"\d+\.\d+\.\d+", "V", name) for name in names} == {
        "brigadewatch-V-py3-none-any.whl",
        "brigadewatch-V.tar.gz",
        "brigadewatch_client-V-py3-none-any.whl",
        "brigadewatch_client-V.tar.gz",
        "brigadewatch-wordpress-V.zip",
        "brigadewatch.cdx.json",
        "brigadewatch-image.cdx.json",
        "provenance.json",
        "verify_release.py",
        "SHA256SUMS",
    }
    done = subprocess.run(
        [sys.executable, str(made / "verify_release.py"), str(made), "--commit", git(tree, "rev-parse", "HEAD")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith("verified: 9 files"), done.stderr
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=made, check=True)


def test_the_sdist_builds_the_very_same_wheel(made: Path, tmp_path: Path) -> None:
    (source,) = made.glob("brigadewatch-[0-9]*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
        epoch = str(max(member.mtime for member in archive.getmembers()))
    (folder,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "out")]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, "SOURCE_DATE_EPOCH": epoch})
    (wheel,) = (tmp_path / "out").iterdir()
    assert wheel.read_bytes() == (made / wheel.name).read_bytes()


def test_the_plugin_s_translations_are_compiled(made: Path) -> None:
    (packed,) = made.glob("brigadewatch-wordpress-*.zip")
    with zipfile.ZipFile(packed) as plugin:
        assert plugin.testzip() is None and len(set(plugin.namelist())) == len(plugin.namelist())
        assert {"brigadewatch/LICENSE", "brigadewatch/brigadewatch.php"} <= set(plugin.namelist())
        german = gettext.GNUTranslations(io.BytesIO(plugin.read("brigadewatch/languages/brigadewatch-de_DE.mo")))
    assert german.gettext("Threshold") == "Schwelle"


def test_no_package_holds_what_is_of_this_machine(made: Path) -> None:
    for path in made.glob("*.whl"):
        names = zipfile.ZipFile(path).namelist()
        assert not [name for name in names if "__pycache__" in name or ".env" in name or name.endswith(".sqlite3")]
    for path in made.glob("*.tar.gz"):
        with tarfile.open(path) as archive:
            members = archive.getmembers()
        assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
        assert not [
            member.name
            for member in members
            if re.search(r"secret|\.key$|/\.git/|\.venv", member.name)
            and not member.name.endswith((".py", ".sh", ".md", ".html"))
        ]
    for file in made.iterdir():
        assert str(ROOT).encode() not in file.read_bytes()


@pytest.mark.parametrize("how", ["changed", "longer", "missing", "added", "link"])
def test_one_byte_or_one_file_too_many_or_too_few_fails(copy: Path, how: str) -> None:
    for path in sorted(copy.iterdir()):
        whole = path.read_bytes()
        other = copy / "one-more.txt"
        if how == "changed":
            path.write_bytes(
                whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
            )
        elif how == "longer":
            path.write_bytes(whole + b"\n")
        elif how == "missing":
            path.unlink()
        elif how == "added":
            other.write_text("x")
        elif path.name != "SHA256SUMS":
            (copy.parent / path.name).write_bytes(whole)
            path.unlink()
            path.symlink_to(copy.parent / path.name)
        else:
            continue
        assert verify_release.main([str(copy)]) == 1, path.name
        path.unlink(missing_ok=True)
        other.unlink(missing_ok=True)
        path.write_bytes(whole)
    assert verify_release.main([str(copy)]) == 0


def test_who_writes_new_checksums_is_found_by_the_provenance_and_who_writes_both_by_the_announcement(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    announced = hashlib.sha256((copy / "SHA256SUMS").read_bytes()).hexdigest()
    assert verify_release.main([str(copy), "--sums", announced]) == 0
    (wheel,) = copy.glob("brigadewatch-[0-9]*.whl")
    with zipfile.ZipFile(wheel, "a") as package:
        package.writestr("service/more.py", "import os")
    release_build.checksums(copy)
    assert verify_release.main([str(copy)]) == 1
    assert f"differ about {wheel.name}" in capsys.readouterr().err
    statement = json.loads((copy / "provenance.json").read_text())
    for subject in statement["subject"]:
        subject["digest"]["sha256"] = hashlib.sha256((copy / subject["name"]).read_bytes()).hexdigest()
    (copy / "provenance.json").write_text(json.dumps(statement))
    release_build.checksums(copy)
    assert verify_release.main([str(copy)]) == 0  # nothing in a folder can vouch for the folder
    assert "not compared with anything" in capsys.readouterr().out
    assert verify_release.main([str(copy), "--sums", announced]) == 1
    assert verify_release.main([str(copy), "--commit", "0" * 40]) == 1


@pytest.mark.parametrize("line", ["x", "{digest}  ../outside", "{digest}  /etc/passwd", "{digest}  a\n{digest}  a", ""])
def test_a_list_of_checksums_cannot_name_what_is_elsewhere(copy: Path, line: str) -> None:
    with (copy / "SHA256SUMS").open("a") as sums:
        sums.write(line.replace("{digest}", "0" * 64) + "\n")
    assert verify_release.main([str(copy)]) == 1


def test_the_provenance_names_commit_locks_and_every_file(made: Path, tree: Path) -> None:
    statement = json.loads((made / "provenance.json").read_text())
    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert {one["name"] for one in statement["subject"]} == {path.name for path in made.iterdir()} - {
        "provenance.json",
        "SHA256SUMS",
    }
    materials = {
        one["name"]: one["digest"] for one in statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    assert materials["source"]["gitCommit"] == git(tree, "rev-parse", "HEAD")
    for lock in ("requirements.lock", "deploy/image.lock", "deploy/build.lock", "deploy/release.lock"):
        assert materials[lock]["sha256"] == hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def test_the_list_of_parts_has_what_is_vendored_too(made: Path) -> None:
    for name in ("brigadewatch.cdx.json", "brigadewatch-image.cdx.json"):
        components = {one["name"]: one for one in json.loads((made / name).read_text())["components"]}
        assert components.keys() >= {"numpy", "htmx.org"}
        vendored = ROOT / "service/console/static/vendor/htmx.min.js"
        assert components["htmx.org"]["hashes"][0]["content"] == hashlib.sha256(vendored.read_bytes()).hexdigest()


def test_a_dirty_tree_is_refused(changed: Path) -> None:
    assert release_build.check_source(changed)
    (changed / "new.txt").write_text("x")
    with pytest.raises(Refused, match="no commit holds"):
        release_build.check_source(changed)


@pytest.mark.parametrize(
    ("heading", "why"),
    [
        ("## [9.9.9]", "no section of 9.0.0"),
        ("## [Unreleased]", "no section of 9.0.0"),
        ("## [{version}]\n\n## [0.0.1]", "or an empty one"),
        ("## [Unreleased]\n\n- More.\n\n## [{version}]", "would contain"),
    ],
)
def test_a_version_that_the_changelog_does_not_describe_is_refused(changed: Path, heading: str, why: str) -> None:
    version = release_build.check_source(changed)
    text = (changed / "CHANGELOG.md").read_text()
    (changed / "CHANGELOG.md").write_text(
        re.sub(rf"^## \[{re.escape(version)}\].*$", heading.format(version=version), text, count=1, flags=re.MULTILINE)
    )
    git(changed, "commit", "--quiet", "--all", "--message", "x")
    with pytest.raises(Refused, match=why):
        release_build.check_source(changed)


def test_a_version_that_was_released_from_another_commit_is_refused(changed: Path) -> None:
    git(changed, "tag", f"v{release_build.check_source(changed)}")
    assert release_build.check_source(changed)
    git(changed, "commit", "--quiet", "--allow-empty", "--message", "later")
    with pytest.raises(Refused, match="names another commit"):
        release_build.check_source(changed)


def test_a_build_that_depends_on_where_it_is_made_is_refused(
    changed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(tree: Path, out: Path, epoch: str, environment: object) -> None:
        out.mkdir(parents=True)
        (out / "a.whl").write_text(str(tree))

    monkeypatch.setattr(release_build, "build", build)
    with pytest.raises(Refused, match=r"differ: a\.whl"):
        release_build.build_twice(changed, tmp_path / "scratch", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_refused(made: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "ROOT", tree)
    with pytest.raises(Refused, match="not empty"):
        release.release(made, made / "x", tried=False, with_image=False)


def installed(wheel: Path, place: Path) -> None:
    """The wheel's files, as pip would unpack them."""
    with zipfile.ZipFile(wheel) as package:
        package.extractall(place)


def test_the_wheel_works_where_no_repository_is(made: Path, tmp_path: Path) -> None:
    (wheel,) = made.glob("brigadewatch-[0-9]*.whl")
    installed(wheel, tmp_path / "site")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    alone = {"PYTHONPATH": str(tmp_path / "site")}
    assert look(sys.executable, tmp_path / "site", elsewhere, alone) in wheel.name
    assert "/healthz" in answers([sys.executable, "-P", "-m", "service.cli"], elsewhere, alone)
    (tmp_path / "site" / "service" / "console" / "static" / "console.css").unlink()
    with pytest.raises(Failed, match=r"console\.css is missing"):
        look(sys.executable, tmp_path / "site", elsewhere, alone)
    with pytest.raises(Failed, match="not from"):
        look(sys.executable, tmp_path / "other", elsewhere, alone)
    assert "migrations" in LOOK


def test_images_are_pinned_by_digest_and_pinned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "FROM python:3.11-slim AS build\n  image: ${A:-valkey/valkey:8}\n  image: ${B:-brigadewatch}\n"
    assert unpinned(text) == ["python:3.11-slim", "valkey/valkey:8"]
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "sha256:$(printf %s "$6" | sha256sum | cut -c1-64)"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    file = tmp_path / "compose.yml"
    file.write_text(text)
    assert pin_images([str(file), "--check"]) == 1
    assert pin_images([str(file)]) == 0
    once = file.read_text()
    assert once.count("@sha256:") == 2 and unpinned(once) == [] and "brigadewatch}" in once
    assert pin_images([str(file), "--check"]) == 0
    later = pinned(once, {"valkey/valkey:8": "sha256:" + "0" * 64})
    assert later.count("@sha256:") == 2 and "valkey:8@sha256:000" in later
    docker.write_text("#!/bin/sh\necho no such host >&2\nexit 1\n")
    assert pin_images([str(file)]) == 3 and file.read_text() == once


def test_every_image_that_is_run_is_found_by_the_pinning() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    assert len(unpinned(compose)) + compose.count("@sha256:") == 4
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert unpinned(dockerfile) or "@sha256:" in dockerfile
    valkey = (ROOT / "deploy" / "helm" / "valkey.yaml").read_text()
    assert valkey in [file.read_text() for file in FILES] and len(unpinned(valkey)) + valkey.count("@sha256:") == 1
