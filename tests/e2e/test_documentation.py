"""The API's own documentation, as an engineer opens it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from console_browser import Theme, Visitor
from playwright.sync_api import expect


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_documentation_opens_from_this_host_alone(visitor: Callable[..., Visitor], theme: Theme) -> None:
    page = visitor(theme=theme).go("/docs")
    expect(page.get_by_text("/v1/complaints", exact=True).first).to_be_visible()
