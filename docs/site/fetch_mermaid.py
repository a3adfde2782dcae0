"""Get Mermaid for the documentation site, so that no page loads it from a content delivery network.

    python docs/site/fetch_mermaid.py FOLDER

Takes the pinned release from the npm registry (with npm where it is installed, else over HTTPS), checks it against the
SHA-512 below, and writes mermaid.min.js into FOLDER. Does nothing where the right file is there already.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

VERSION = "12.3.0"
# `npm view mermaid@VERSION dist.integrity`, and `sha256sum` of the one file that is taken from the package.
PACKAGE_SHA512 = "4113TdXeLAsMruJ79OpFL5O8+LTFXhQqZ260rF3tgUmiNAtRm4Uume04I+65PRN6yZ69J4f8rVYWW8zRk65UYw=="
FILE_SHA256 = "336df803d87a38b70a01e736e666c8f7601d2ce42f5e47c8fafe5d721074b9a3"
MEMBER = "package/dist/mermaid.min.js"
URL = f"https://registry.npmjs.org/mermaid/-/mermaid-{VERSION}.tgz"


def main(folder: Path) -> None:
    """Make sure that `folder` holds the pinned mermaid.min.js. Raises ValueError where a checksum is wrong."""
    file = folder / "mermaid.min.js"
    if file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == FILE_SHA256:
        return
    with tempfile.TemporaryDirectory() as scratch:
        package = _package(Path(scratch))
        found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        if found != PACKAGE_SHA512:
            raise ValueError(f"mermaid {VERSION}: the package's SHA-512 is {found}, expected {PACKAGE_SHA512}")
        with tarfile.open(package) as archive:
            member = archive.extractfile(MEMBER)
            assert member is not None, f"{MEMBER} is not a file"
            script = member.read()
    if hashlib.sha256(script).hexdigest() != FILE_SHA256:
        raise ValueError(f"mermaid {VERSION}: {MEMBER} is not the file whose SHA-256 is {FILE_SHA256}")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(script)


def _package(scratch: Path) -> Path:
    package = scratch / f"mermaid-{VERSION}.tgz"
    npm = shutil.which("npm")
    if npm is not None:
        subprocess.run([npm, "pack", "--silent", f"mermaid@{VERSION}"], cwd=scratch, check=True, stdout=sys.stderr)
    else:
        with urllib.request.urlopen(URL, timeout=120) as answer:
            package.write_bytes(answer.read())
    return package


if __name__ == "__main__":
    main(Path(sys.argv[1]))
