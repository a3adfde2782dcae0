"""The pictures in docs/audit.md, taken anew from the audit of a generated file: part of `make screenshots`.

The terminal is what the command prints, drawn by the browser; nothing in the pictures depends on the day.
"""

from __future__ import annotations

import html
import subprocess
import sys
import tempfile
from pathlib import Path

import first_audit
from playwright.sync_api import Browser, Page, sync_playwright

from bench.chromium import launch

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MOST_BYTES, WIDTH = 150_000, 1_000
SHOWN = first_audit.commands()[-1]  # as the README has it
_TERMINAL = """<!DOCTYPE html><meta charset="utf-8"><style>
body { margin: 0; background: #12161c; color: #e4e9ef; }
pre { margin: 0; padding: 16px; font: 12px/1.45 "DejaVu Sans Mono", monospace; }
b { color: #8fd18f; font-weight: 400; }
</style>"""


def audited(folder: Path) -> str:
    """What the command prints about a generated file."""
    first_audit.foreign_csv(folder / "flags.csv")
    arguments = SHOWN.split()[1:]
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(first_audit.ROOT), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def keep(page: Page, name: str, height: int, top: float = 0) -> None:
    """A part of the page, as a file."""
    page.evaluate("top => window.scrollTo(0, top)", top)
    page.set_viewport_size({"width": WIDTH, "height": height})
    data = page.screenshot(path=PICTURES / f"{name}.png")
    assert len(data) <= MOST_BYTES, f"{name}.png has {len(data):,} bytes, more than {MOST_BYTES:,}"
    sys.stdout.write(f"docs/pictures/{name}.png  {len(data):,} bytes\n")


def opened(browser: Browser, address: str = "about:blank") -> Page:
    """A page of the pictures' width."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light", locale="en-GB")
    page.goto(address)
    return page


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="brigadewatch-pictures-") as name, sync_playwright() as playwright:
        printed = audited(Path(name))
        browser = launch(playwright)
        terminal = opened(browser)
        terminal.set_content(f"{_TERMINAL}<pre><b>$</b> {html.escape(SHOWN)}\n{html.escape(printed)}</pre>")
        printed = terminal.locator("pre").bounding_box()
        assert printed is not None
        keep(terminal, "audit-terminal", round(printed["height"]))
        report = opened(browser, (Path(name) / "report.html").as_uri())
        keep(report, "audit-summary", 900)
        box = report.get_by_role("heading", name="Lockstep").first.bounding_box()
        assert box is not None
        keep(report, "audit-group", 440, box["y"] - 16)
        browser.close()


if __name__ == "__main__":
    main()
