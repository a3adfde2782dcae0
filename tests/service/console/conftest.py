"""What tests of the console share: a clock that they move, and a provider that lies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from conftest import Api
from identity_provider import LyingProvider, lying_provider
from sso_world import use_provider


@pytest.fixture
def clock(api: Api) -> list[datetime]:
    """The API's time, which the tests move."""
    at = [datetime(2026, 11, 22, 9, 0, tzinfo=UTC)]
    api.app.state.api.now = lambda: at[0]
    return at


@pytest.fixture
def liar(api: Api) -> Iterator[LyingProvider]:
    """The provider, set up for the tenant `default`; the API's clock is the true one."""
    api.app.state.api.now = lambda: datetime.now(UTC)
    with lying_provider() as running:
        use_provider(api, running.issuer, running.receiver.opening)
        yield running
