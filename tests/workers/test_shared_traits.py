"""What groups aim at, live: from the archive's contents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from archive_lines import archive, batches, complaint, feed_of
from conftest import RedisClients
from sqlalchemy import Connection, Engine
from worlds import Town, document, draw_town

from service.policy import DEFAULT_POLICY
from service.settings import Settings
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_reader import contents_of
from service.storage.redis_store.leases import take_epoch
from service.storage.sql import schema
from service.storage.sql.hashing import key_of
from workers import detect, shared_traits, sweep
from workers.detection.groups import Group
from workers.detection.window import Window
from workers.feed_columns import columns_of, standing
from workers.resources import Resources
from workers.shared_traits import SharedTraits


class Place:
    """A tenant with archived complaints and the window that detection would hold."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.id = engine, create_tenant(engine, "paper", 0)
        self.epoch, self.position, self.reads = take_epoch(engine, schema.ingest_state, self.id), 0, list[int]()
        self.window = Window(14 * 86_400_000, tuple(s * 1000 for s in DEFAULT_POLICY.lag_scales))
        self.aiming = SharedTraits(self.id)

        def counted(connection: Connection, tenant_id: int, seqs: Sequence[int]) -> dict[int, Any]:
            self.reads.extend(seqs)
            return contents_of(connection, tenant_id, seqs)

        monkeypatch.setattr(shared_traits, "contents_of", counted)

    def takes(self, lines: list[bytes]) -> None:
        archive(self.engine, self.id, self.epoch, batches(lines, first=self.position + 1))
        self.position += len(lines)
        rows, texts = standing([row.batch for row in feed_of(self.engine, self.id)])
        self.window = Window(14 * 86_400_000, tuple(s * 1000 for s in DEFAULT_POLICY.lag_scales))
        self.window.append(columns_of(rows, texts))

    def group(self, targets: Iterable[str]) -> Group:
        """Everybody's complaints about these targets."""
        keys = frozenset(key_of(t) for t in targets)
        window, numbers = self.window, self.window.targets.find(np.array(sorted(keys), np.int64))
        _, events = window.runs(window.by_target, numbers)
        return Group(
            "repeat",
            frozenset(window.reporters.keys[window.reporter[events]].tolist()),
            keys,
            window.seq[events],
            window.reporters.keys[window.reporter[events]],
            window.targets.keys[window.target[events]],
            window.time[events],
            window.exempt[events],
            (),
            dict.fromkeys(keys, 0),
        )

    def texts(self, *groups: Group) -> list[list[str]]:
        """The aims in words, group by group; `reads` then holds the seqs whose contents were read for it."""
        self.reads.clear()
        with self.engine.connect() as connection:
            aimed = self.aiming.aimed(connection, self.window, groups)
        return [[e.text for e in aimed[g].evidence] for g in groups]

    def refresh(self) -> None:
        with self.engine.connect() as connection:
            self.aiming.refresh(connection, self.window)


@pytest.fixture
def place(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(engine, monkeypatch)


def comment(number: int, section: str, reporter: str = "r") -> bytes:
    return complaint(
        f"c{number}-{reporter}", number, reporter, f"t{number}", target_more={"attributes": {"section": section}}
    )


def newspaper(politics: int = 20, sports: int = 180) -> list[bytes]:
    return [comment(k, "politics" if k < politics else "sports") for k in range(politics + sports)]


POLITICS = "12 of 12 targets have section “politics” (10 % of all targets do)."


def test_a_group_is_compared_with_all_targets_of_the_window(place: Place) -> None:
    place.takes(newspaper())
    politics, mixed = place.group(f"t{k}" for k in range(12)), place.group(f"t{k}" for k in range(15, 35))
    assert place.texts(politics, mixed) == [[POLITICS], []]
    assert place.texts() == []


def test_the_group_itself_is_left_as_it_was(place: Place) -> None:
    place.takes(newspaper())
    group = place.group(f"t{k}" for k in range(12))
    with place.engine.connect() as connection:
        aimed = place.aiming.aimed(connection, place.window, [group])[group]
    assert group.evidence == () and aimed.evidence[0].contribution == 0
    assert (aimed.targets, aimed.reporters) == (group.targets, group.reporters) and aimed.seq is group.seq


def test_a_target_is_read_once(place: Place) -> None:
    place.takes(newspaper())
    place.texts(place.group(["t1", "t2", "t3"]))
    assert len(place.reads) == len(set(place.reads)) == 200
    place.texts(place.group(["t1", "t2", "t3"]), place.group(["t3", "t4"]))
    place.refresh()
    assert place.reads == []


def test_a_sample_bounds_what_is_read_and_the_group_s_own_targets_are_read_besides(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_traits, "SAMPLE", 50)
    place.takes(newspaper())
    (texts,) = place.texts(place.group(f"t{k}" for k in range(12)))
    assert 50 <= len(place.reads) == len(set(place.reads)) <= 62
    assert len(texts) == 1 and texts[0].startswith("12 of 12 targets have section “politics” (")


def test_aims_stay_until_the_next_sample(place: Place) -> None:
    place.takes(newspaper())
    assert place.texts(place.group(f"t{k}" for k in range(12))) == [[POLITICS]]
    place.takes([comment(k, "politics") for k in range(200, 300)])
    assert place.texts(place.group(f"t{k}" for k in range(12))) == [[POLITICS]]
    place.refresh()
    assert place.texts(place.group(f"t{k}" for k in range(12))) == [[POLITICS.replace("10 %", "40 %")]]


def test_a_window_that_doubled_gets_a_new_sample_by_itself(place: Place) -> None:
    place.takes(newspaper())
    place.texts(place.group(f"t{k}" for k in range(12)))
    place.takes([comment(k, "sports") for k in range(200, 600)])
    assert place.texts(place.group(f"t{k}" for k in range(13))) == [
        ["13 of 13 targets have section “politics” (3 % of all targets do)."]
    ]


def test_targets_without_content_and_an_empty_window_have_no_aims(place: Place) -> None:
    place.takes([])
    place.refresh()
    place.takes([complaint(f"c{k}", k, "r", f"t{k}") for k in range(30)])
    assert place.texts(place.group(["t1", "t2", "t3"])) == [[]]


# --- in the tick


def with_sections(town: Town) -> list[bytes]:
    """The town's documents; the brigade's targets are in politics, of the others one in ten."""
    aimed = {row.target for row in town.rows if row.reporter in town.brigades[0]}
    lines = []
    for row in town.rows:
        body: dict[str, Any] = document(row)
        body["target"]["attributes"] = {
            "section": "politics" if row.target in aimed or row.target % 10 == 9 else "sports"
        }
        lines.append(b"c" + json.dumps(body).encode())
    return lines


def test_a_cluster_s_evidence_and_sentence_say_what_it_aims_at(
    place: Place, settings: Settings, fake_redis: RedisClients
) -> None:
    place.takes(with_sections(draw_town(5, brigades=1, hits=16)))
    resources = Resources(settings, place.engine, fake_redis.blocking)
    for job in (detect, sweep, detect):
        job.run("paper", resources)
    with place.engine.connect() as connection:
        rows = connection.execute(sa.select(schema.clusters.c.summary, schema.clusters.c.evidence)).all()
    assert rows
    for row in rows:
        told = [e for e in json.loads(row.evidence) if e["signal"] == "aim_section"]
        assert len(told) == 1 and told[0]["contribution"] == 0 and told[0]["value"] > 0.8
        assert " targets have section “politics” (" in row.summary
