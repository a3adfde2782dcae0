"""After an upgrade to another version of text signatures: what is kept is computed again, the rest ages out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import RedisClients
from flow import Newspaper, line
from sqlalchemy import Engine

from service.intake.text_fingerprints import SIGNATURE_BYTES, VERSION
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.complaints.feed import pack, unpack
from service.storage.complaints.signature_renewal import renew_signatures
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.sql import schema
from service.storage.sql.engine import write
from workers import tenant_filter
from workers.window_build import build_analyzer

TEXTS = {
    "english": "he insults every reader of this page each single day",
    "copied": "He INSULTS every reader, of this page, each single day!",
    "chinese": "这条评论侮辱了所有的读者请尽快删除",
    "short": "spam",
    "none": None,
}
OLD = bytes([10]) + bytes(range(128))  # version 1


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


def documents() -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "occurred_at": f"2026-11-01T10:00:0{k}Z",
            "reporter": {"id": f"r-{name}"},
            "target": {"id": "t-1"},
            "text": text,
        }
        for k, (name, text) in enumerate(TEXTS.items())
    ]


def feed_texts(paper: Newspaper) -> dict[int, bytes]:
    with paper.engine.connect() as connection:
        payloads = connection.scalars(sa.select(schema.feed.c.payload).order_by(schema.feed.c.last_seq)).all()
    return {seq: text for payload in payloads for seq, text in unpack(payload).texts.items()}


def age(paper: Newspaper) -> None:
    """The feed as 0.2.0 left it: texts of words written apart have a signature of version 1, others have none."""
    feed, state = schema.feed, schema.analysis_state
    with write(paper.engine) as connection:
        for seq, payload in connection.execute(sa.select(feed.c.last_seq, feed.c.payload)).all():
            batch = unpack(payload)
            older = replace(batch, texts=dict.fromkeys(list(batch.texts)[:2], OLD))
            connection.execute(sa.update(feed).where(feed.c.last_seq == seq).values(payload=pack(older)))
        connection.execute(sa.update(state).values(signature_version=1))
    paper.forgets()


def posted(paper: Newspaper, *, keep_text: bool) -> dict[int, bytes]:
    """Post the complaints; the signatures in the feed."""
    with write(paper.engine) as connection:
        change_settings(connection, paper.id, actor="test", now_us=0, keep_text=keep_text)
    box = SecretBox(paper.resources.settings)
    privacy_filter = open_privacy_filter(paper.engine, box, paper.id)
    paper.accepts(*(privacy_filter.line(line(d)) for d in documents()))
    paper.works()
    return feed_texts(paper)


def test_signatures_of_kept_texts_are_computed_again_once_when_the_window_is_built(
    paper: Newspaper, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now = posted(paper, keep_text=True)
    assert len(now) == 3 and {text[0] for text in now.values()} == {VERSION}
    age(paper)
    assert set(feed_texts(paper).values()) == {OLD}
    analyzer = build_analyzer(paper.name, paper.resources)
    assert feed_texts(paper) == now
    assert sorted(analyzer.detector.window.text.values()) == sorted(now.values())
    assert paper.analysis().signature_version == VERSION
    assert f"tenant {paper.name}: 3 signatures of kept texts computed again" in caplog.messages
    privacy_filter = open_privacy_filter(paper.engine, SecretBox(paper.resources.settings), paper.id)
    assert renew_signatures(paper.engine, paper.id, privacy_filter, least_words=5, since_us=0) == 0


def test_where_texts_are_not_kept_old_signatures_stay_beside_new_ones_and_nothing_fails(paper: Newspaper) -> None:
    posted(paper, keep_text=False)
    age(paper)
    later = [{**d, "id": f"{d['id']}-2", "reporter": {"id": f"q-{d['id']}"}} for d in documents()]
    build_analyzer(paper.name, paper.resources)
    privacy_filter = open_privacy_filter(paper.engine, SecretBox(paper.resources.settings), paper.id)
    paper.accepts(*(privacy_filter.line(line(d)) for d in later))
    paper.works()
    window = build_analyzer(paper.name, paper.resources).detector.window
    assert sorted(len(text) for text in window.text.values()) == [SIGNATURE_BYTES] * 5
    assert sum(text == OLD for text in window.text.values()) == 2
    assert paper.analysis().signature_version == VERSION


def test_a_complaint_from_before_the_upgrade_that_comes_again_is_a_repeat_and_no_conflict(paper: Newspaper) -> None:
    posted(paper, keep_text=False)
    complaints = schema.complaints
    with write(paper.engine) as connection:
        for row_key, content in connection.execute(sa.select(complaints.c.row_key, complaints.c.content)).all():
            older = content.replace('"text_signature":"A', '"text_signature":"C')
            connection.execute(sa.update(complaints).where(complaints.c.row_key == row_key).values(content=older))
    privacy_filter = open_privacy_filter(paper.engine, SecretBox(paper.resources.settings), paper.id)
    paper.accepts(*(privacy_filter.line(line(d)) for d in documents()))
    paper.works()
    with paper.engine.connect() as connection:
        state = connection.execute(sa.select(schema.ingest_state)).mappings().one()
    assert (state["duplicates"], state["conflicting"]) == (len(TEXTS), 0)


def test_a_key_that_cannot_be_opened_leaves_old_signatures_and_the_window_is_built(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted(paper, keep_text=True)
    age(paper)

    def locked(*_: object) -> None:
        raise tenant_filter.Refused("the key cannot be opened")

    monkeypatch.setattr(tenant_filter, "open_privacy_filter", locked)
    assert set(build_analyzer(paper.name, paper.resources).detector.window.text.values()) == {OLD}
    assert paper.analysis().signature_version == 1
