"""Make a release of HEAD: packages, plugin, lists of parts, provenance and checksums in one folder.

    .venv/bin/python deploy/release.py --cyclonedx .venv-release/bin/cyclonedx-py [--out build/release]
        [--no-try] [--no-image]

Refuses a dirty tree and a version without a section in CHANGELOG.md; builds everything twice and refuses a byte that
differs. The image is built where a Docker engine answers. Exit codes: 0 all done, 1 refused or failed, 3 all but the
image (no engine).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from release_build import Refused, build_twice, check_source, checksums, clean_tree, provenance, sbom
from try_wheel import Failed, try_wheel

ROOT = Path(__file__).resolve().parent.parent
SBOMS = {"brigadewatch.cdx.json": "requirements.lock", "brigadewatch-image.cdx.json": "deploy/image.lock"}


def image(root: Path, scratch: Path, version: str, epoch: str) -> dict[str, object] | str:
    """The image as built from a clean tree: its name, id and base; or why there is none."""
    if not shutil.which("docker"):
        return "docker is not installed"
    info = subprocess.run(["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, text=True)
    if info.returncode or not info.stdout.strip():
        return f"no Docker engine answers: {info.stderr.strip()[-200:]}"
    tree, name = clean_tree(root, scratch / "image", disturbed=False), f"brigadewatch:{version}"
    command = ["docker", "build", "--quiet", "--network", "host", "--tag", name]
    command += ["--label", f"org.opencontainers.image.version={version}", "--file", "deploy/Dockerfile", "."]
    built = subprocess.run(
        command, cwd=tree, capture_output=True, text=True, env={**os.environ, "SOURCE_DATE_EPOCH": epoch}
    )
    if built.returncode:
        raise Refused(f"building the image failed: {built.stderr[-800:]}")
    bases = [
        line.split()[1] for line in (tree / "deploy" / "Dockerfile").read_text().splitlines() if line[:5] == "FROM "
    ]
    return {
        "name": name,
        "id": built.stdout.split()[-1],
        "bases": sorted(set(bases)),
        "pinned": all("@sha256:" in base for base in bases),
    }


def release(out: Path, cyclonedx: Path, *, tried: bool, with_image: bool) -> int:
    """Make it; the exit code. Raises Refused, Failed."""
    version = check_source(ROOT)
    if out.exists() and any(out.iterdir()):
        raise Refused(f"{out} is not empty; name another folder with --out, or remove it")
    if not cyclonedx.exists():
        raise Refused(f"{cyclonedx} does not exist; `make release` installs it")
    missing = ""
    with tempfile.TemporaryDirectory(prefix="brigadewatch-release-") as folder:
        scratch = Path(folder)
        epoch = build_twice(ROOT, scratch, out)
        print(f"built twice, the same bytes: {', '.join(sorted(path.name for path in out.iterdir()))}")
        for name, lock in SBOMS.items():
            sbom(ROOT, cyclonedx.absolute(), lock, out / name)
        if tried:
            print(try_wheel(next(out.glob("brigadewatch-[0-9]*.whl"))))
        made = image(ROOT, scratch, version, epoch) if with_image else "it was not asked for (--no-image)"
        if isinstance(made, str):
            missing = made
        else:
            (out / "image.json").write_text(json.dumps(made, indent=2, sort_keys=True) + "\n")
            print(
                f"image {made['name']}: {made['id']}" + ("" if made["pinned"] else "; its base is not pinned by digest")
            )
    shutil.copyfile(ROOT / "deploy" / "verify_release.py", out / "verify_release.py")
    provenance(ROOT, out, version, epoch, builder=os.environ.get("BRIGADEWATCH_BUILDER", "urn:brigadewatch:local"))
    print(f"brigadewatch {version} is in {out}\nSHA-256 of SHA256SUMS, to be signed and announced: {checksums(out)}")
    if missing:
        print(f"no image: {missing}; the rest of the release is whole", file=sys.stderr)
        return 3
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "release", help="an empty or new folder")
    parser.add_argument("--cyclonedx", type=Path, required=True, help="the program cyclonedx-py")
    parser.add_argument("--no-try", action="store_true", help="do not install and start the wheel")
    parser.add_argument("--no-image", action="store_true", help="do not build the image")
    chosen = parser.parse_args()
    try:
        return release(chosen.out, chosen.cyclonedx, tried=not chosen.no_try, with_image=not chosen.no_image)
    except (Refused, Failed) as error:
        print(f"no release: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
