"""Whatever JSON arrives, an adapter reads it or refuses it in its own words; what it makes never breaks the checks
behind it.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.platforms import registry
from service.platforms.payload import Unusable
from tests.service.platforms.payloads import coop, coral, discourse, mastodon, score, status
from tests.service.platforms.reading import batch_of, read
from tests.service.platforms.test_coral_and_coop import ACTION
from tests.service.platforms.test_generic import DOCUMENT, MAPPING

CASES: list[tuple[str, Any]] = [
    ("discourse", discourse(score(1, 501, "2024-05-03T10:00:00.000Z"), status=1, version=1)),
    ("mastodon", mastodon(status("501"), action_taken=True)),
    ("coral", coral("COMMENT_LEFT_MODERATION_QUEUE", status="REJECTED")),
    ("coop", coop()),
    ("coop", ACTION),
    ("generic", DOCUMENT),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**60), 10**60),
    st.floats(),
    st.text(max_size=30),
    st.just("\ud800"),
    st.just("x" * 5_000),
    st.just("2024-05-03T10:00:00Z"),
    st.just("9999-12-31T23:59:59Z"),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)),
    max_leaves=12,
)


def survives(platform: str, document: object) -> None:
    try:
        delivery = read(platform, document, mapping=MAPPING if platform == "generic" else None)
    except Unusable:
        return
    batch = batch_of(delivery)
    assert len(batch.lines) + batch.rejected_count == len(delivery.items)
    for line in batch.lines:
        line.decode()


@pytest.mark.parametrize("platform", registry.POSTING)
@given(document=VALUES)
@hypothesis_settings(max_examples=60, deadline=None)
def test_arbitrary_json_is_read_or_refused(platform: str, document: Any) -> None:
    survives(platform, document)


@given(case=st.sampled_from(CASES), value=VALUES, seed=st.integers(0, 10_000))
@hypothesis_settings(max_examples=400, deadline=None)
def test_a_payload_with_any_value_at_any_place_is_read_or_refused(case: tuple[str, Any], value: Any, seed: int) -> None:
    platform, document = case
    survives(platform, replaced(document, value, random.Random(seed)))


def replaced(document: Any, value: Any, rng: random.Random) -> Any:
    """A copy of the document in which one place, however deep, holds the value."""
    if not isinstance(document, (dict, list)) or not document or rng.random() < 0.1:
        return value
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    chosen = rng.choice(keys)
    if isinstance(document, dict):
        return {key: replaced(inner, value, rng) if key == chosen else inner for key, inner in document.items()}
    return [replaced(inner, value, rng) if key == chosen else inner for key, inner in enumerate(document)]
