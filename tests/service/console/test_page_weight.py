"""How much of scripts and styles a browser has to load for all of the console's pages together."""

from __future__ import annotations

import gzip
from pathlib import Path

import service.console

STATIC = Path(service.console.__file__).parent / "static"
MOST_BYTES = 150_000


def test_scripts_and_styles_of_all_pages_are_at_most_150_kilobytes_compressed() -> None:
    sizes = {
        str(path.relative_to(STATIC)): len(gzip.compress(path.read_bytes(), 6))
        for path in STATIC.rglob("*")
        if path.suffix in (".js", ".css")
    }
    assert "console.css" in sizes and "vendor/htmx.min.js" in sizes
    assert sum(sizes.values()) <= MOST_BYTES, sizes
