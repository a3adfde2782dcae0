"""What a release consists of: packages built twice and compared, the WordPress plugin, lists of parts (SBOM),
provenance and checksums. Nothing in it depends on when, where or by whom it is built.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plugin_translations import translations

LOCKS = ("requirements.lock", "deploy/image.lock", "deploy/build.lock", "deploy/release.lock", "docs/requirements.lock")
PACKAGES = (".", "clients/python")  # what is built into a wheel and an sdist
PLUGIN = "clients/wordpress/brigadewatch"
SUMS, PROVENANCE = "SHA256SUMS", "provenance.json"
_SBOM_OPTIONS = ("--output-reproducible", "--sv", "1.6", "--of", "JSON", "-o", "-")
# The second build differs in all that must not matter.
SURROUNDINGS = (
    ("one", 0o022, {"TZ": "UTC", "PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8"}),
    ("another/deeper", 0o077, {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "2", "LC_ALL": "C"}),
)


class Refused(Exception):
    """No release is made; the message says why, and what to do."""


def git(root: Path, *arguments: str) -> str:
    """What git says. Raises Refused when it fails."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"git {arguments[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


def check_source(root: Path) -> str:
    """The tree's version. Raises Refused for a dirty tree, and for a version that CHANGELOG.md does not describe."""
    if changed := git(root, "status", "--porcelain"):
        raise Refused(f"the tree has changes that no commit holds; commit or remove them:\n{changed[:500]}")
    found = re.search(r'^__version__ = "([^"]+)"$', (root / "service" / "__init__.py").read_text(), re.MULTILINE)
    if found is None:
        raise Refused('service/__init__.py has no line like __version__ = "1.2.3"')
    version = found[1]
    sections = dict(
        re.findall(r"^## \[?([^\]\s]+)\]?[^\n]*\n(.*?)(?=^## |\Z)", changes(root), re.MULTILINE | re.DOTALL)
    )
    if not sections.get(version, "").strip():
        raise Refused(
            f"CHANGELOG.md has no section of {version}, or an empty one: give [Unreleased] that heading, with the date"
        )
    if sections.get("Unreleased", "").strip():
        raise Refused(
            f"CHANGELOG.md has changes under [Unreleased] that {version} would contain: raise the version in"
            " service/__init__.py and give them its heading"
        )
    if git(root, "tag", "--list", f"v{version}") and git(root, "rev-list", "-n1", f"v{version}") != git(
        root, "rev-parse", "HEAD"
    ):
        raise Refused(f"the tag v{version} names another commit: raise the version in service/__init__.py")
    return version


def changes(root: Path) -> str:
    """CHANGELOG.md."""
    return (root / "CHANGELOG.md").read_text()


def clean_tree(root: Path, into: Path, *, disturbed: bool) -> Path:
    """The files of HEAD, and nothing else. `disturbed`: with times of today and this process' umask."""
    into.mkdir(parents=True)
    packed = subprocess.run(
        ["git", "-C", str(root), "archive", "--format=tar", "HEAD"], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(into, filter="data")
    if disturbed:
        umask = os.umask(0)
        os.umask(umask)
        for path in into.rglob("*"):
            path.chmod(path.stat().st_mode & ~umask)
            os.utime(path, (time.time(), time.time()))
    return into


def build(tree: Path, out: Path, epoch: str, environment: Mapping[str, str]) -> None:
    """Wheels, sdists and the plugin of a clean tree."""
    out.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(out.resolve())],
            cwd=tree / package,
            env={**os.environ, **environment, "SOURCE_DATE_EPOCH": epoch},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Refused(f"building {package} failed: {(done.stderr or done.stdout)[-1000:]}")
    plugin(tree, out, epoch)


def plugin(tree: Path, out: Path, epoch: str) -> Path:
    """The WordPress plugin as a zip, with its translations compiled: stored, since the bytes of a compressed one depend
    on zlib.
    """
    source = (tree / PLUGIN / "brigadewatch.php").read_text()
    found = re.search(r"^ \* Version:\s+(\S+)$", source, re.MULTILINE)
    if found is None:
        raise Refused(f"{PLUGIN}/brigadewatch.php names no version")
    file = out / f"brigadewatch-wordpress-{found[1]}.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        files = {
            path.relative_to(tree / PLUGIN).as_posix(): path.read_bytes()
            for path in (tree / PLUGIN).rglob("*")
            if path.is_file()
        }
        files |= translations(tree / PLUGIN) | {"LICENSE": (tree / "LICENSE").read_bytes()}
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"brigadewatch/{name}", time.gmtime(max(int(epoch), 315_532_800))[:6])
            entry.external_attr, entry.create_system = 0o100644 << 16, 3
            packed.writestr(entry, content)
    return file


def build_twice(root: Path, scratch: Path, out: Path) -> str:
    """Build in two surroundings and keep what is the same; the epoch. Raises Refused where a byte differs."""
    epoch = git(root, "show", "-s", "--format=%ct", "HEAD")
    sums: list[dict[str, str]] = []
    for place, umask, environment in SURROUNDINGS:
        before = os.umask(umask)
        try:
            tree = clean_tree(root, scratch / place / "tree", disturbed=place != "one")
            build(tree, scratch / place / "out", epoch, environment)
        finally:
            os.umask(before)
        sums.append(digests(scratch / place / "out"))
    if sums[0] != sums[1]:
        different = sorted(name for name in sums[0].keys() | sums[1].keys() if sums[0].get(name) != sums[1].get(name))
        raise Refused(f"two builds of the same commit differ: {', '.join(different)}")
    out.mkdir(parents=True, exist_ok=True)
    for name in sums[0]:
        shutil.copyfile(scratch / SURROUNDINGS[0][0] / "out" / name, out / name)
    return epoch


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def vendored(root: Path) -> list[dict[str, Any]]:
    """The front-end files that are in the repository, as components of an SBOM."""
    manifest = json.loads((root / "service/console/static/vendor/manifest.json").read_text())
    return [
        {
            "type": "library",
            "bom-ref": f"vendored-{file['name']}",
            "name": file["name"],
            "version": file["version"],
            "purl": f"pkg:npm/{file['name']}@{file['version']}",
            "hashes": [{"alg": "SHA-256", "content": file["sha256"]}],
            "licenses": [{"license": {"id": file["licence"]}}],
        }
        for file in manifest["files"]
    ]


def sbom(root: Path, tool: Path, lock: str, out: Path) -> None:
    """What a lock file installs and what is in the wheel besides, as CycloneDX. Raises Refused when the tool fails."""
    done = subprocess.run(
        [str(tool), "requirements", str(root / lock), "--pyproject", str(root / "pyproject.toml"), *_SBOM_OPTIONS],
        capture_output=True,
        text=True,
        cwd=root,
    )
    if done.returncode:
        raise Refused(f"cyclonedx-py failed: {done.stderr[-500:]}")
    document = json.loads(done.stdout)
    document["components"] = document.get("components", []) + vendored(root)
    out.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def provenance(
    root: Path, out: Path, version: str, epoch: str, *, builder: str, materials: Sequence[Mapping[str, Any]] = ()
) -> None:
    """An in-toto statement (v1) with SLSA provenance (v1): what was built, from which commit and which locks."""
    import hatchling.__about__

    locks = [
        {"name": name, "digest": {"sha256": hashlib.sha256((root / name).read_bytes()).hexdigest()}} for name in LOCKS
    ]
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in digests(out).items()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:brigadewatch:make-release:1",
                "externalParameters": {"version": version, "target": "make release"},
                "internalParameters": {"SOURCE_DATE_EPOCH": epoch},
                "resolvedDependencies": [
                    {
                        "name": "source",
                        "digest": {
                            "gitCommit": git(root, "rev-parse", "HEAD"),
                            "gitTree": git(root, "rev-parse", "HEAD^{tree}"),
                        },
                    },
                    *locks,
                    *materials,
                ],
            },
            "runDetails": {
                "builder": {
                    "id": builder,
                    "version": {
                        "python": ".".join(map(str, sys.version_info[:3])),
                        "hatchling": hatchling.__about__.__version__,
                    },
                }
            },
        },
    }
    (out / PROVENANCE).write_text(json.dumps(statement, indent=2, sort_keys=True) + "\n")


def checksums(out: Path) -> str:
    """Write SHA256SUMS over everything else; its own SHA-256, which is what has to be signed or announced."""
    found = {name: digest for name, digest in digests(out).items() if name != SUMS}
    (out / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in found.items()))
    return hashlib.sha256((out / SUMS).read_bytes()).hexdigest()
