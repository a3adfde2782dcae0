"""Pseudonyms and signatures in place of ids and texts: the same groups, the same evidence, the same independent
counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import RedisClients
from flow import Newspaper, audited, groups_of
from sqlalchemy import Engine
from worlds import document, draw_town, keys_of

from service.intake.privacy_filter import PrivacyFilter
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

OPENINGS = (
    "this comment insults every reader here",
    "please delete this comment at once today",
    "such hatred has no place on these pages",
)


class Edged(Newspaper):
    """A newspaper whose items pass its own edge."""

    def privacy_filter(self) -> PrivacyFilter:
        return open_privacy_filter(self.engine, SecretBox(self.resources.settings), self.id)

    def accepts(self, *lines: bytes) -> int:
        privacy_filter = self.privacy_filter()
        return super().accepts(*map(privacy_filter.line, lines))


@pytest.fixture
def papers(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[tuple[Edged, Edged]]:
    """One that keeps everything, and one that keeps as little as it can."""
    shown, hidden = Edged(fake_redis, engine, settings, "shown"), Edged(fake_redis, engine, settings, "hidden")
    with write(engine) as connection:
        change_settings(connection, shown.id, actor="test", now_us=0, keep_text=True)
        change_settings(connection, hidden.id, actor="test", now_us=0, pseudonyms=True)
    yield shown, hidden
    shown.forgets()
    hidden.forgets()


def with_texts(documents: list[dict[str, Any]], copying: set[str]) -> list[dict[str, Any]]:
    """Readers write what they like; some copy one of three texts and change a word."""
    rng = np.random.default_rng(5)
    for k, one in enumerate(documents):
        if one["reporter"]["id"] in copying:
            one["text"] = f"{OPENINGS[k % 3]} {('quickly', 'soon', 'now')[k % 3]}"
        elif k % 3 == 0:
            one["text"] = " ".join(f"word{n}" for n in rng.integers(0, 4_000, int(rng.integers(2, 25))))
    return documents


def test_a_brigade_is_the_same_group_with_the_same_evidence_and_the_same_counts(papers: tuple[Edged, Edged]) -> None:
    town = draw_town(2)
    brigade = {f"r{r}" for r in town.brigades[0]}
    documents = with_texts([document(row) for row in town.rows], brigade)
    for paper in papers:
        paper.posts(documents, batch=400)
        paper.sweeps()
    shown, hidden = papers
    privacy_filter = hidden.privacy_filter()
    (one,), (other,) = shown.clusters().values(), hidden.clusters().values()
    assert one.members == keys_of(brigade)
    assert other.members == {key_of(privacy_filter.pseudonym(name)) for name in brigade}
    assert [(e.signal, e.text) for e in one.evidence] == [(e.signal, e.text) for e in other.evidence]
    # members come in another order, so sums differ in the last digit
    assert [e.value for e in one.evidence] == pytest.approx([e.value for e in other.evidence])
    assert next(e for e in one.evidence if e.signal == "near_duplicate_texts").value == 1.0
    assert one.summary == other.summary and (one.score, one.probability) == pytest.approx(
        (other.score, other.probability)
    )
    for target in sorted({row["target"]["id"] for row in documents})[:60]:
        mine, theirs = shown.asks(target), hidden.asks(target)
        assert (mine.complaints, mine.independent_complaints, mine.recommendation) == (
            theirs.complaints,
            theirs.independent_complaints,
            theirs.recommendation,
        )
    audited_groups = groups_of(audited(documents)[0])
    assert groups_of([one]) == audited_groups


def test_a_crowd_that_only_copies_texts_is_found_by_signatures_alone(papers: tuple[Edged, Edged]) -> None:
    rng = np.random.default_rng(3)
    start = [document(row) for row in draw_town(5, brigades=0, members=8).rows]
    crowd = [
        {
            "id": f"x{k}",
            "occurred_at": f"2026-03-05T10:{k // 2:02d}:{30 * (k % 2):02d}Z",
            "reporter": {"id": f"crowd-{k}"},
            "target": {"id": "victim"},
            "text": f"this writer has insulted every decent reader of the page number{int(rng.integers(0, 3))} again",
        }
        for k in range(24)
    ]
    documents = sorted([*with_texts(start, set()), *crowd], key=lambda one: one["occurred_at"])
    for paper in papers:
        paper.posts(documents, batch=400)
        paper.sweeps()
    shown, hidden = papers
    privacy_filter = hidden.privacy_filter()
    found = {frozenset(c.members) for c in shown.clusters().values() if c.kind == "one_shot"}
    assert found == {keys_of(f"crowd-{k}" for k in range(24))}
    assert {frozenset(c.members) for c in hidden.clusters().values() if c.kind == "one_shot"} == {
        frozenset(key_of(privacy_filter.pseudonym(f"crowd-{k}")) for k in range(24))
    }
    assert hidden.asks("victim").independent_complaints == pytest.approx(shown.asks("victim").independent_complaints)
    assert shown.asks("victim").independent_complaints < 24


def test_two_tenants_signatures_and_pseudonyms_have_nothing_in_common(papers: tuple[Edged, Edged]) -> None:
    one, other = (paper.privacy_filter() for paper in papers)
    assert one.pseudonym("r1") != other.pseudonym("r1")
    assert one.mark("r1") != other.mark("r1")
    text = {"id": "c", "reporter": {"id": "r1"}, "text": OPENINGS[0]}
    assert one.signature(text) != other.signature(text)
