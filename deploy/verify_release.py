"""Check a downloaded release: every file is the one that was built, and nothing is missing or added.

    python verify_release.py DIR [--sums SHA256] [--commit COMMIT]

Needs nothing but Python. SHA256SUMS protects the files; who protects SHA256SUMS? Its own SHA-256, from a place that
whoever changed the download could not change too (`--sums`: the announcement, the signed tag), or a signature: see
docs/how-to/release.md. Exit codes: 0 whole, 1 not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

SUMS, PROVENANCE = "SHA256SUMS", "provenance.json"
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]*)")  # a name without a path


class Wrong(Exception):
    """The release is not what it says; the message says where."""


def main(arguments: list[str] | None = None) -> int:
    """Check, and say so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files of the release are")
    parser.add_argument("--sums", help="the SHA-256 of SHA256SUMS, as it was announced")
    parser.add_argument("--commit", help="the commit that it has to be built from")
    chosen = parser.parse_args(arguments)
    try:
        files, commit = verify(chosen.folder, sums=chosen.sums, commit=chosen.commit)
    except Wrong as error:
        print(f"NOT VERIFIED: {error}", file=sys.stderr)
        return 1
    trusted = "" if chosen.sums else "; SHA256SUMS itself was not compared with anything (--sums)"
    print(f"verified: {len(files)} files, built from commit {commit}{trusted}")
    return 0


def verify(folder: Path, *, sums: str | None = None, commit: str | None = None) -> tuple[dict[str, str], str]:
    """(SHA-256 by file, commit). Raises Wrong."""
    found = _files(folder, sums)
    statement = _statement(folder)
    subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    expected = {name: digest for name, digest in found.items() if name != PROVENANCE}
    if subjects != expected:
        names = sorted(name for name in subjects.keys() | expected.keys() if subjects.get(name) != expected.get(name))
        raise Wrong(f"{PROVENANCE} and {SUMS} differ about {', '.join(names)}")
    dependencies = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    built = str(next(one["digest"]["gitCommit"] for one in dependencies if one["name"] == "source"))
    if commit is not None and not (len(commit) >= 12 and built.startswith(commit)):
        raise Wrong(f"it was built from commit {built}, not from {commit}")
    for name in expected:
        _opens(folder / name)
    return found, built


def _files(folder: Path, sums: str | None) -> dict[str, str]:
    try:
        listed = (folder / SUMS).read_bytes()
    except OSError as error:
        raise Wrong(f"{folder / SUMS} cannot be read: {error.strerror}") from None
    if sums is not None and hashlib.sha256(listed).hexdigest() != sums.lower().strip():
        raise Wrong(f"{SUMS} has the SHA-256 {hashlib.sha256(listed).hexdigest()}, not the one that was announced")
    found: dict[str, str] = {}
    for line in listed.decode("ascii", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise Wrong(f"{SUMS} has a line that is not a digest and a name of its own: {line[:100]!r}")
        found[match[2]] = match[1]
    present = {path.name for path in folder.iterdir()} - {SUMS} - {f"{SUMS}.sigstore.json", f"{SUMS}.asc"}
    if present != found.keys():
        raise Wrong(
            f"missing: {', '.join(sorted(found.keys() - present)) or 'nothing'};"
            f" not listed in {SUMS}: {', '.join(sorted(present - found.keys())) or 'nothing'}"
        )
    for name, digest in found.items():
        path = folder / name
        if path.is_symlink() or not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise Wrong(f"{name} is not the file that {SUMS} lists")
    return found


def _statement(folder: Path) -> dict[str, Any]:
    try:
        statement: dict[str, Any] = json.loads((folder / PROVENANCE).read_text())
        if statement["_type"] != "https://in-toto.io/Statement/v1" or not statement["subject"]:
            raise Wrong(f"{PROVENANCE} is not an in-toto statement")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Wrong(f"{PROVENANCE} cannot be read: {type(error).__name__}") from None
    return statement


def _opens(path: Path) -> None:
    """Archives have no name that leads out of the folder they are unpacked in."""
    try:
        if path.suffix in (".whl", ".zip"):
            names = zipfile.ZipFile(path).namelist()
        elif path.name.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                names = archive.getnames()
        else:
            return
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise Wrong(f"{path.name} cannot be opened: {error}") from None
    if bad := [name for name in names if name.startswith("/") or ".." in name.split("/")]:
        raise Wrong(f"{path.name} has a member outside its folder: {bad[0][:100]!r}")


if __name__ == "__main__":
    sys.exit(main())
