"""Pin the images that this repository names by digest: `name:tag` becomes `name:tag@sha256:...`.

    python deploy/pin_images.py [--check] [FILE ...]

Asks the registry through Docker, and writes the files (by default all that name an image). `--check` only lists what is
not pinned. Exit codes: 0 all pinned, 1 some are not, 3 nobody could be asked.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = (ROOT / "deploy" / "Dockerfile", ROOT / "docker-compose.yml", ROOT / "deploy" / "helm" / "valkey.yaml")
# FROM name:tag, image: ${VARIABLE:-name:tag} and image: name:tag; our own image has no tag.
_NAMED = re.compile(
    r"((?:^FROM )|(?:image: (?:\$\{\w+:-)?))([a-z0-9./-]+:[A-Za-z0-9._-]+)(@sha256:[0-9a-f]{64})?", re.MULTILINE
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Unreachable(Exception):
    """No registry could be asked; the message says why."""


def digest_of(name: str) -> str:
    """The digest that the registry has for the name now, of the index over all architectures. Raises Unreachable."""
    if not shutil.which("docker"):
        raise Unreachable("docker is not installed")
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", name]
    done = subprocess.run(command, capture_output=True, text=True)
    found = _DIGEST.fullmatch(done.stdout.strip())
    if done.returncode or found is None:
        raise Unreachable(f"{name}: {(done.stderr or done.stdout).strip()[-200:]}")
    return found[0]


def unpinned(text: str) -> list[str]:
    """The images without a digest, each once."""
    return sorted({match[2] for match in _NAMED.finditer(text) if match[3] is None})


def pinned(text: str, digests: dict[str, str]) -> str:
    """The text with the digest behind each of these names, in place of an older one."""
    return _NAMED.sub(
        lambda match: f"{match[1]}{match[2]}@{digests[match[2]]}" if match[2] in digests else match[0], text
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", default=list(FILES))
    parser.add_argument("--check", action="store_true", help="change nothing")
    chosen = parser.parse_args(arguments)
    texts = {file: file.read_text() for file in chosen.files}
    if chosen.check:
        left = sorted({name for text in texts.values() for name in unpinned(text)})
        print(f"not pinned by digest: {', '.join(left)}" if left else "every image is pinned by digest")
        return 1 if left else 0
    try:
        digests = {name: digest_of(name) for name in {m[2] for text in texts.values() for m in _NAMED.finditer(text)}}
    except Unreachable as error:
        print(f"nothing was changed, since no registry could be asked: {error}", file=sys.stderr)
        return 3
    for file, text in texts.items():
        file.write_text(pinned(text, digests))
    print(f"pinned: {', '.join(sorted(digests))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
