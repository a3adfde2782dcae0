"""The table of what arrives from which platform is what the adapters do, and what the documentation shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from platforms.fixtures import SAMPLES
from platforms.table import ROW_BY_PLATFORM, ROWS, arrived, rendered

from service.platforms import NAMES

README = Path(__file__).parents[3] / "docs" / "integrations" / "README.md"


@pytest.mark.parametrize("platform", sorted(SAMPLES))
def test_what_arrives_by_fixtures_is_what_is_declared(platform: str) -> None:
    assert set(arrived(SAMPLES[platform]())) == ROW_BY_PLATFORM[platform].arrives


def test_every_platform_has_a_row_and_what_is_not_real_has_fixtures() -> None:
    assert {name.lower() for name in NAMES} <= {platform.lower() for platform in ROW_BY_PLATFORM}
    assert {row.platform for row in ROWS if not row.real} == set(SAMPLES)


def test_the_documentation_shows_the_table() -> None:
    lines = README.read_text().splitlines()
    first = lines.index(rendered()[0])
    assert lines[first : first + len(rendered())] == rendered()
