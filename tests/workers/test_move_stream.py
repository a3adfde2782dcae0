"""A migration to another Redis: nothing that was acknowledged is lost, interrupted or not."""

from __future__ import annotations

from typing import Any

import fakeredis
import pytest
import redis
from archive_lines import complaint
from pipeline_world import Paper
from sqlalchemy import Engine

from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis_store import redis_keys, unseen
from service.storage.redis_store.redis_identity import adopt, end_use, user_of
from service.storage.sql.hashing import digest_of, key_of
from workers import ingest
from workers.move_stream import move_stream
from workers.rebuild_redis import rebuild_redis
from workers.resources import Resources
from workers.tenant_filter import open_filter_or_warn


@pytest.fixture
def paper(fake_redis: Any, engine: Engine, settings: Settings) -> Paper:
    return Paper(fake_redis, engine, settings)


@pytest.fixture
def new(paper: Paper, settings: Settings) -> Resources:
    """With a Redis that is adopted, after some complaints were archived and some were not."""
    paper.accepts(complaint("a"), complaint("b", reporter="y"))
    ingest.run(paper.name, paper.resources)
    paper.accepts(complaint("c", reporter="x"))
    paper.accepts(complaint("d", reporter="z", target="u"), complaint("e", reporter="q", target="u"))
    resources = Resources(settings, paper.engine, fakeredis.FakeRedis(server=fakeredis.FakeServer()))
    end_use(paper.engine, user_of(settings))
    adopt(paper.engine, resources.redis)
    assert rebuild_redis(paper.name, resources) == 2
    return resources


def identity(resources: Resources) -> str:
    found: Any = resources.redis.get(redis_keys.IDENTITY)
    return str(found.decode())


def test_what_waited_is_moved_and_archived_and_the_old_one_is_shut(paper: Paper, new: Resources) -> None:
    assert move_stream(paper.name, paper.redis, new, identity(new)) == 3
    assert paper.waiting() == 0
    assert paper.redis.get(redis_keys.position(paper.name)) is None
    assert unseen_of(new, digest_of("u")) == 2, "they count before they are analysed"
    ingest.run(paper.name, new)
    assert paper.archived_ids() == ["a", "b", "c", "d", "e"]


def test_a_move_that_was_interrupted_goes_on_and_doubles_nothing(
    paper: Paper, new: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(paper.redis, "xdel", dies)  # after the first entry is in the new stream
        with pytest.raises(StoreUnavailable, match="again"):
            move_stream(paper.name, paper.redis, new, identity(new))
    assert paper.waiting() == 2
    assert move_stream(paper.name, paper.redis, new, identity(new)) == 3
    ingest.run(paper.name, new)
    assert paper.archived_ids() == ["a", "b", "c", "d", "e"]


def test_known_members_are_counted_as_at_the_door(paper: Paper, new: Resources, settings: Settings) -> None:
    own = open_filter_or_warn(paper.name, paper.id, new)
    assert own is not None
    unseen.change_known_members(new.redis, paper.name, own.key, [key_of("k")], [])
    paper.redis.delete(redis_keys.stream(paper.name))
    lines = [
        complaint("f", reporter="k", target="v"),
        complaint("g", reporter="k", target="v", reporter_more={"trusted": True}),
        complaint("h", reporter="k", target="v", machine=True),
    ]
    paper.redis.xadd(redis_keys.stream(paper.name), {"first": 6, "n": 3, "at": 5, "lines": b"\n".join(lines)})
    assert move_stream(paper.name, paper.redis, new, identity(new)) == 3
    assert [unseen_of(new, field) for field in (digest_of("v"), b"k" + digest_of("v"))] == [2, 1]


def unseen_of(resources: Resources, field: bytes) -> int:
    generations: Any = resources.redis.zrange(redis_keys.unseen("paper"), 0, -1)
    found: Any = [resources.redis.hget(f"{redis_keys.unseen('paper')}:{name.decode()}", field) for name in generations]
    return sum(int(count or 0) for count in found)
