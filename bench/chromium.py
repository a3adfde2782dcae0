"""The headless Chromium or Chrome of this machine, for measurements, tests and screenshots of the console."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    """The browser. Fails where there is none, with the way out."""
    found = path()
    assert found, (
        "no Chromium on the PATH: `make chromium` installs one (Debian: apt-get install chromium fonts-dejavu-core)"
    )
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # as root there is no other way
    return playwright.chromium.launch(executable_path=found, args=[*sandbox, *_ARGUMENTS])


def path() -> str | None:
    """Where it is; None where there is none."""
    return next(
        (place for name in ("chromium", "chromium-browser", "google-chrome") if (place := shutil.which(name))), None
    )
