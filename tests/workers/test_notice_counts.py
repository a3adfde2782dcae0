"""The notices by trusted flaggers that the question before a removal tells: at every step what the archive says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aged_archive import Archive, told
from archive_lines import complaint, withdrawal
from conftest import RedisClients
from sqlalchemy import Engine
from worlds import START

from service.model import microseconds, moment
from service.moderation.trusted_flaggers import FlaggerTerm
from service.settings import Settings
from service.storage.accounts import flagger_registry
from service.storage.cases.brief_reads import read_dossier
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.redis_store import redis_keys
from service.storage.redis_store.leases import raise_epochs
from service.storage.sql.engine import write
from workers import detect, rebuild_redis

BEGIN, HOUR_US = microseconds(START), 3_600_000_000
HATE: dict[str, Any] = {"reason": "hate"}
TRUSTED = {"trusted": True}
NOTICE: dict[str, Any] = {"reason": "spam", "notice_type": "illegal_content"}


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Archive]:
    made = Archive(fake_redis, engine, settings)
    yield made
    made.forgets()


def enter(paper: Archive, reporter: str = "hotline", **term: Any) -> int:
    with write(paper.engine) as connection:
        number = flagger_registry.add_flagger(
            connection,
            paper.id,
            reporter,
            entity="Hotline",
            coordinator="Coimisiún na Meán",
            term=FlaggerTerm(**{"since_us": BEGIN - HOUR_US, "area": ("hate",), **term}),
            note=None,
            by="ann",
            now_us=paper.resources.now_us(),
        )
    detect.run(paper.name, paper.resources)
    return number


def counts(paper: Archive, *targets: str) -> tuple[int | None, ...]:
    """As the API tells them; the brief counts the same."""
    found = tuple(paper.asks(target).trusted_notices for target in targets)
    with paper.engine.connect() as connection:
        briefs = [read_dossier(connection, paper.id, t, now=moment(BEGIN)).figures.trusted_notices for t in targets]
    assert found == tuple(briefs)
    return found


def test_notices_count_within_area_and_time_and_those_of_the_platform_without_an_entry(paper: Archive) -> None:
    told(paper, complaint("before", reporter="hotline", target="t", **HATE))
    assert counts(paper, "t") == (0,)
    number = enter(paper, until_us=BEGIN + HOUR_US)
    assert counts(paper, "t") == (1,), "an entry made later covers what was filed since it began"
    told(
        paper,
        complaint("outside", reporter="hotline", target="u", reason="spam"),
        complaint("late", 7_200, reporter="hotline", target="v", **HATE),
        complaint("sent", reporter="agency", target="w", reporter_more=TRUSTED, **NOTICE),
        complaint("house-rules", reporter="agency", target="x", reporter_more=TRUSTED, **HATE),
        complaint("anybody", reporter="r1", target="t", **HATE),
        complaint("a-notice", reporter="r2", target="t", **NOTICE),
    )
    assert counts(paper, "t", "u", "v", "w", "x", "never") == (1, 0, 0, 1, 0, 0)
    enter(paper, "agency", since_us=BEGIN - 9 * HOUR_US, until_us=BEGIN - 8 * HOUR_US)
    assert counts(paper, "w") == (0,), "the registry decides, not the platform"
    with write(paper.engine) as connection:
        flagger_registry.remove_flagger(connection, paper.id, number, by="ann", now_us=paper.resources.now_us())
    detect.run(paper.name, paper.resources)
    assert counts(paper, "t") == (0,)
    assert not paper.redis.exists(redis_keys.trusted_notices(paper.name))


def test_what_is_withdrawn_or_takes_the_place_of_another_is_counted_again(paper: Archive) -> None:
    enter(paper)
    told(paper, complaint("a", 60, reporter="hotline", target="t", **HATE))
    told(paper, complaint("b", 90, reporter="hotline", target="t", reason="spam"))
    assert counts(paper, "t") == (1,)
    told(paper, withdrawal("a"))
    assert counts(paper, "t") == (0,)
    told(paper, complaint("c", 120, reporter="hotline", target="t", **HATE), withdrawal("b"))
    assert counts(paper, "t") == (1,), "c had been a repeat, and stands now"


def test_a_killed_worker_an_erasure_and_a_lost_redis_change_no_count(paper: Archive) -> None:
    enter(paper)
    told(
        paper,
        complaint("a", reporter="hotline", target="t", **HATE),
        complaint("b", reporter="agency", target="t", reporter_more=TRUSTED, **NOTICE),
        complaint("c", reporter="hotline", target="u", **HATE),
    )
    assert counts(paper, "t", "u") == (2, 1)
    paper.redis.hdel(redis_keys.trusted_notices(paper.name), *paper.redis.hkeys(redis_keys.trusted_notices(paper.name)))
    paper.forgets()
    detect.run(paper.name, paper.resources)
    assert counts(paper, "t", "u") == (2, 1), "killed between SQL and Redis"
    rewrite = ErasureRewrite(paper.id, {"hotline": "erased-1", "agency": "erased-2"})
    found = rewrite.find(paper.engine)
    with write(paper.engine) as connection:
        raise_epochs(connection, paper.id)
        rewrite.apply(connection, found)
    told(paper, complaint("d", reporter="r9", target="t"), complaint("e", reporter="r9", target="u"))
    assert counts(paper, "t", "u") == (2, 1)
    paper.redis.flushall()
    rebuild_redis.run(paper.name, paper.resources)
    assert counts(paper, "t", "u") == (2, 1)


def test_after_an_upgrade_they_are_unknown_until_the_worker_has_counted_them(paper: Archive) -> None:
    enter(paper)
    told(paper, complaint("a", reporter="hotline", target="t", **HATE), complaint("b", reporter="r1", target="u"))
    paper.redis.delete(redis_keys.trusted_notices(paper.name))
    paper.redis.hdel(redis_keys.progress(paper.name), "noticed")
    assert (paper.asks("t").trusted_notices, paper.asks("never").trusted_notices) == (None, 0)
    paper.forgets()
    detect.run(paper.name, paper.resources)
    assert counts(paper, "t", "u") == (1, 0)


def test_what_retention_deletes_is_counted_no_more(paper: Archive) -> None:
    enter(paper)
    told(paper, complaint("old", reporter="hotline", target="t", **HATE), complaint("other", reporter="r1", target="t"))
    paper.ages(31)
    told(paper, complaint("new", 60, reporter="r2", target="t"))
    paper.keeps(30)
    paper.retains()
    paper.works()
    assert counts(paper, "t") == (0,)
    assert not paper.redis.exists(redis_keys.trusted_notices(paper.name))
