"""The plugin can be read by every PHP that it is said to run on, compiled to WebAssembly."""

from __future__ import annotations

import os
import subprocess

import pytest
from debian_packages import ROOT
from wordpress.site import PLUGIN

PROGRAM = ROOT / "build" / "php-versions" / "node_modules" / ".bin" / "php-wasm-cli"
PARSE = ROOT / "tests" / "wordpress" / "php_versions" / "parse.php"


@pytest.mark.parametrize("version", ["7.4", "8.0", "8.1", "8.2", "8.3", "8.4", "8.5"])
def test_every_version_of_php_reads_the_plugin(version: str) -> None:
    files = sorted(str(path) for path in PLUGIN.rglob("*.php"))
    done = subprocess.run(
        [PROGRAM, str(PARSE), *files], env=os.environ | {"PHP": version}, capture_output=True, text=True, timeout=100
    )
    found, *refused = done.stdout.split("\n", 1)
    assert found.startswith(f"{version}."), done.stdout + done.stderr
    assert "".join(refused).strip() == "" and len(files) > 20
