"""Compare the results of two revisions, for changes that must not affect detection or the API.

    .venv/bin/python bench/compare_reports.py [--against REVISION] [--seeds 301 302] [--complaints 9000]

Checks out REVISION into a temporary git worktree, generates one world per seed there, audits it with the code of that
revision and with that of this tree, and compares the two reports; then it compares the two OpenAPI documents. Ids of
clusters, sentences and descriptions are ignored. Prints every path that differs; the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROSE = {"description", "summary", "example", "examples", "explanation", "reason", "detail", "title", "label", "text"}
PROSE |= {"revoked_because"}
SENTENCES = {"notes"}  # lists of sentences
SHOWN = 40  # differences that are printed

DRAW = """
import json, sys
from pathlib import Path
from service.demo.world import draw_world
world = draw_world(int(sys.argv[1]), int(sys.argv[2]))
folder = Path(sys.argv[3])
for name, rows in (("complaints", world.complaints), ("outcomes", world.outcomes)):
    (folder / f"{name}.ndjson").write_text("".join(json.dumps(row) + "\\n" for row in rows))
"""
DOCUMENT = """
import json, sys
from pathlib import Path
from sqlalchemy import create_engine
from service.app import create_app
from service.settings import read_settings
settings = read_settings(Path(sys.argv[1]), {"BRIGADEWATCH_SECRET_KEY": "0" * 64})
print(json.dumps(create_app(settings, engine=create_engine("sqlite://")).openapi()))
"""


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """A temporary worktree of `revision`, removed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), revision], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def run_in(tree: Path, *arguments: str) -> str:
    """The output of this Python with `arguments`, importing from `tree`."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def audited(tree: Path, world: Path, out: Path) -> Any:
    """The report of `tree`'s audit of a world."""
    files = [str(world / "complaints.ndjson"), "--outcomes", str(world / "outcomes.ndjson")]
    run_in(tree, "-m", "service.cli", "audit", *files, "--out", str(out))
    return json.loads(out.read_text())


def without_prose(value: Any, cluster_ids: dict[str, str]) -> Any:
    """`value` without sentences, and with clusters numbered in order of appearance instead of their random ids."""
    if isinstance(value, dict):
        kept = {}
        for key, held in value.items():
            if key == "id" and isinstance(held, str) and "members" in value:
                kept[key] = cluster_ids.setdefault(held, f"cluster {len(cluster_ids)}")
            elif key in ("example", "examples"):
                continue
            elif key == "links" and isinstance(held, dict):  # OpenAPI: named by the summary of the operation
                links = [without_prose(link, cluster_ids) for link in held.values()]
                kept[key] = sorted(links, key=lambda link: str(link["operationId"]))
            elif key not in SENTENCES and (key not in PROSE or isinstance(held, dict | list)):
                kept[key] = without_prose(held, cluster_ids)
        return kept
    if isinstance(value, list):
        return [without_prose(one, cluster_ids) for one in value]
    return cluster_ids.get(value, value) if isinstance(value, str) else value


def differences(before: Any, after: Any, path: str = "$") -> Iterator[str]:
    """Every path at which two JSON documents differ, with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if key not in before or key not in after:
                yield f"{path}.{key}: only {'after' if key in after else 'before'}"
            else:
                yield from differences(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield f"{path}: {len(before)} entries before, {len(after)} after"
        for place, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from differences(one, other, f"{path}[{place}]")
    elif before != after:
        yield f"{path}: {before!r} before, {after!r} after"


def main() -> int:
    """Compare this tree with a revision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default="HEAD", metavar="REVISION", help="git revision (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[301, 302], help="one world each (default: 301 302)")
    parser.add_argument("--complaints", type=int, default=9_000, help="per world (default: %(default)s)")
    options = parser.parse_args()
    found = list[str]()
    with checkout(options.against) as tree, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for seed in options.seeds:
            run_in(tree, "-c", DRAW, str(seed), str(options.complaints), str(folder))
            before = without_prose(audited(tree, folder, folder / "before.json"), {})
            after = without_prose(audited(ROOT, folder, folder / "after.json"), {})
            new = [f"world {seed} {line}" for line in differences(before, after)]
            clusters = len(before.get("clusters", ()))
            print(f"world {seed}: {options.complaints} complaints, {clusters} clusters, {len(new)} differences")
            found += new
        documents = [without_prose(json.loads(run_in(each, "-c", DOCUMENT, str(folder))), {}) for each in (tree, ROOT)]
        new = [f"OpenAPI {line}" for line in differences(*documents)]
        print(f"OpenAPI document: {len(documents[0]['paths'])} paths, {len(new)} differences")
        found += new
    print(*found[:SHOWN], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
