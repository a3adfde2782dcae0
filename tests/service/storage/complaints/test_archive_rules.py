"""What the archive makes of complaints, outcomes and withdrawals: the contract's sections 2 and 3."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from archive_lines import archive, batches, complaint, feed_of, outcome, standing_by_feed, states, totals, withdrawal
from sqlalchemy import Engine, func, select

from service.errors import LostLease
from service.intake.text_fingerprints import signature_of
from service.storage.accounts.policy_overrides import set_overrides
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_reader import (
    contents_of,
    ids_by_key,
    ingest_state_of,
    outcomes_of,
    unfinished_of,
)
from service.storage.complaints.feed import EXEMPT, NOT_ARCHIVED, pack, unpack
from service.storage.complaints.feed_reader import read_feed, read_feed_window
from service.storage.redis_store.leases import take_epoch
from service.storage.redis_store.stream import StreamEntry
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import MACHINE, REPEAT, STANDING, WITHDRAWN, complaints, feed, ingest_state, outcomes

DAY = 86_400


class Tenant:
    """A tenant whose items are archived one commit a call."""

    def __init__(self, engine: Engine, name: str = "paper") -> None:
        self.engine, self.id = engine, create_tenant(engine, name, 0)
        self.epoch = take_epoch(engine, ingest_state, self.id)
        self.position = 0

    def takes(self, *lines: bytes, sizes: Sequence[int] = ()) -> None:
        archive(self.engine, self.id, self.epoch, batches(lines, sizes, self.position + 1))
        self.position += len(lines)

    @property
    def states(self) -> dict[str, int]:
        return states(self.engine, self.id)

    def total(self, target: str = "t") -> int:
        return totals(self.engine, self.id).get(key_of(target), 0)

    def counters(self) -> tuple[int, int, int, int]:
        with self.engine.connect() as connection:
            state = ingest_state_of(connection, self.id)
        return state.archived, state.duplicates, state.conflicting, state.late

    def held(self) -> set[str]:
        """Ids of the complaints that detection would hold."""
        seqs = standing_by_feed(feed_of(self.engine, self.id))
        with self.engine.connect() as connection:
            return {body["id"] for body in contents_of(connection, self.id, sorted(seqs)).values()}


@pytest.fixture
def tenant(engine: Engine) -> Tenant:
    return Tenant(engine)


RULES = [
    ("one complaint stands", [complaint("a")], {"a": STANDING}, 1, {"a"}),
    (
        "a reporter counts once a target: the earliest",
        [complaint("a", 5), complaint("b", 9)],
        {"a": STANDING, "b": REPEAT},
        1,
        {"a"},
    ),
    (
        "an earlier one that comes later takes over",
        [complaint("b", 9), complaint("a", 5)],
        {"a": STANDING, "b": REPEAT},
        1,
        {"a"},
    ),
    (
        "of two at the same moment the smaller id stands",
        [complaint("b", 5), complaint("a", 5)],
        {"a": STANDING, "b": REPEAT},
        1,
        {"a"},
    ),
    (
        "two reporters count twice",
        [complaint("a", reporter="x"), complaint("b", reporter="y")],
        {"a": STANDING, "b": STANDING},
        2,
        {"a", "b"},
    ),
    ("a withdrawn one no longer counts", [complaint("a"), withdrawal("a")], {"a": WITHDRAWN}, 0, set()),
    ("a withdrawal may come first", [withdrawal("a"), complaint("a")], {"a": WITHDRAWN}, 0, set()),
    ("a withdrawn id never revives", [complaint("a"), withdrawal("a"), complaint("a")], {"a": WITHDRAWN}, 0, set()),
    (
        "the earliest repeat follows a withdrawn one",
        [complaint("a", 1), complaint("c", 3), complaint("b", 2), withdrawal("a")],
        {"a": WITHDRAWN, "b": STANDING, "c": REPEAT},
        1,
        {"b"},
    ),
    (
        "a withdrawn repeat changes nothing",
        [complaint("a", 1), complaint("b", 2), withdrawal("b")],
        {"a": STANDING, "b": WITHDRAWN},
        1,
        {"a"},
    ),
    (
        "a withdrawn repeat is never promoted",
        [complaint("a", 1), complaint("b", 2), withdrawal("b"), withdrawal("a")],
        {"a": WITHDRAWN, "b": WITHDRAWN},
        0,
        set(),
    ),
    (
        "a new id after a withdrawal counts from its own time",
        [complaint("a", 1), withdrawal("a"), complaint("b", 5)],
        {"a": WITHDRAWN, "b": STANDING},
        1,
        {"b"},
    ),
    (
        "a machine counts nowhere",
        [complaint("m", 1, machine=True), complaint("a", 2)],
        {"m": MACHINE, "a": STANDING},
        1,
        {"a"},
    ),
    (
        "a machine's complaint can be withdrawn too",
        [complaint("m", 1, machine=True), withdrawal("m")],
        {"m": WITHDRAWN},
        0,
        set(),
    ),
    (
        "take over, then withdraw: the first comes back",
        [complaint("b", 9), complaint("a", 5), withdrawal("a")],
        {"a": WITHDRAWN, "b": STANDING},
        1,
        {"b"},
    ),
]


@pytest.mark.parametrize("together", [True, False], ids=["one commit", "a commit an item"])
@pytest.mark.parametrize(
    ("lines", "expected", "total", "held"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES]
)
def test_rules_of_standing_hold_in_one_commit_and_over_many(
    tenant: Tenant, together: bool, lines: list[bytes], expected: dict[str, int], total: int, held: set[str]
) -> None:
    for group in [lines] if together else [[line] for line in lines]:
        tenant.takes(*group)
    assert tenant.states == expected
    assert tenant.total() == total
    assert tenant.held() == held


@pytest.mark.parametrize("together", [True, False])
def test_the_same_again_is_a_duplicate_and_other_content_a_conflict_that_changes_nothing(
    tenant: Tenant, caplog: pytest.LogCaptureFixture, together: bool
) -> None:
    lines = [
        complaint("a", reason="spam"),
        complaint("a", reason="spam"),
        complaint("a", reason="abuse", target_more={"kind": "post"}),
        outcome("o"),
        outcome("o"),
        outcome("o", verdict="rejected"),
        withdrawal("z"),
        withdrawal("z"),
    ]
    with caplog.at_level(logging.WARNING):
        for group in [lines] if together else [[line] for line in lines]:
            tenant.takes(*group)
    assert tenant.counters() == (8, 3, 2, 0)
    assert "(reason, target.kind)" in caplog.text
    assert "outcome 'o' was sent again with different content (verdict)" in caplog.text
    with tenant.engine.connect() as connection:
        assert contents_of(connection, tenant.id, [1])[1]["reason"] == "spam"
        assert connection.scalar(select(func.count()).select_from(outcomes)) == 1


def test_the_same_content_with_its_fields_in_another_order_is_a_duplicate(tenant: Tenant) -> None:
    tenant.takes(b'c{"id":"a","occurred_at":"2026-03-01T00:00:00Z","reporter":{"id":"r"},"target":{"id":"t"}}')
    tenant.takes(b'c{"target":{"id":"t"},"id":"a","occurred_at":"2026-03-01T00:00:00Z","reporter":{"id":"r"}}')
    assert tenant.counters() == (2, 1, 0, 0)


def test_an_old_complaint_is_late_counts_in_the_total_and_is_not_fed(tenant: Tenant) -> None:
    tenant.takes(
        complaint("new", 20 * DAY, reporter="x"),
        complaint("old", 6 * DAY - 1, reporter="y"),
        complaint("edge", 6 * DAY, reporter="z"),
    )
    assert tenant.counters() == (3, 0, 0, 1)
    assert tenant.total() == 3
    assert tenant.held() == {"new", "edge"}


def test_lateness_is_judged_by_the_items_before_whatever_the_batches(engine: Engine) -> None:
    lines = [
        complaint("a", 0),
        complaint("b", 15 * DAY),
        complaint("c", 0.5 * DAY),
        complaint("d", 30 * DAY, target="u"),
        complaint("e", 15 * DAY),
        complaint("f", 16 * DAY),
    ]
    counted = []
    for number, sizes in enumerate([(), (1, 1, 1, 1, 1), (2, 3), (3, 1)]):
        one = Tenant(engine, f"batching-{number}")
        one.takes(*lines, sizes=sizes)
        counted.append((one.counters(), one.states, one.held()))
    apart = Tenant(engine, "apart")
    for line in lines:
        apart.takes(line)
    assert all(found == counted[0] for found in counted)
    assert (apart.counters(), apart.states, apart.held()) == counted[0]
    assert counted[0][0] == (6, 0, 0, 2)


def test_a_tenants_own_window_decides_what_is_late(tenant: Tenant) -> None:
    with write(tenant.engine) as connection:
        set_overrides(connection, tenant.id, {"window_seconds": 2 * DAY}, by="test", now_us=1)
    tenant.takes(complaint("a", 5 * DAY, reporter="x"), complaint("b", 2 * DAY, reporter="y"))
    assert tenant.counters()[3] == 1


def test_only_new_complaints_move_the_watermark(tenant: Tenant) -> None:
    tenant.takes(complaint("a", 100), outcome("o", seconds=9_000), complaint("a", 5_000), withdrawal("a"))
    with tenant.engine.connect() as connection:
        state = ingest_state_of(connection, tenant.id)
        assert state.watermark_us == read_feed(connection, tenant.id, 0, 10)[0].batch.complaints["time_us"].max(
            initial=state.watermark_us
        )
    tenant.takes(complaint("b", 99, reporter="y"))
    with tenant.engine.connect() as connection:
        assert ingest_state_of(connection, tenant.id).watermark_us == state.watermark_us


def test_a_late_one_that_takes_over_leaves_detection_without_the_reporter(tenant: Tenant) -> None:
    tenant.takes(complaint("new", 20 * DAY))
    tenant.takes(complaint("old", 0))
    assert tenant.states == {"new": REPEAT, "old": STANDING}
    assert tenant.total() == 1
    assert tenant.held() == set()
    tenant.takes(withdrawal("old"))
    assert tenant.held() == {"new"}


def test_the_feed_carries_what_detection_needs(tenant: Tenant) -> None:
    text = "five words are enough here"
    tenant.takes(
        complaint(
            "a",
            1.5,
            reporter="r1",
            text=text,
            reporter_more={"account_created_at": "2026-02-28T23:59:59Z", "fingerprint": "f", "trusted": True},
            target_more={"author_id": "w", "context_id": "x"},
        ),
        complaint("b", 2, reporter="r2", text="too short"),
        complaint("c", 3, reporter="r3", notice_type="illegal_content"),
        complaint("d", 4, reporter="r4", notice_type="terms"),
    )
    (row,) = feed_of(tenant.engine, tenant.id)
    fed = row.batch.complaints
    assert fed["seq"].tolist() == [1, 2, 3, 4]
    assert fed["flags"].tolist() == [EXEMPT, 0, EXEMPT, 0]
    assert (int(fed["author"][0]), int(fed["context"][0]), int(fed["fingerprint"][0])) == (
        key_of("w"),
        key_of("x"),
        key_of("f"),
    )
    assert fed["time_us"][0] - fed["created_us"][0] == 2_500_000
    assert row.batch.texts == {1: signature_of(text)}
    assert row.batch.totals.tolist() == [(key_of("t"), 4)]
    assert (row.first_seq, row.last_seq, row.last_position, row.items) == (1, 4, 4, 4)
    assert row.newest_us == fed["time_us"].max()
    with tenant.engine.connect() as connection:
        assert ids_by_key(connection, tenant.id, reporters=[key_of("r1"), key_of("nobody")], targets=[key_of("t")]) == (
            {key_of("r1"): "r1"},
            {key_of("t"): "t"},
        )


def test_an_outcome_finds_its_complaint_before_it_with_it_and_after_it(tenant: Tenant) -> None:
    tenant.takes(outcome("early", complaint_id="a"), outcome("whole"))
    tenant.takes(outcome("with", complaint_id="a"), complaint("a"))
    tenant.takes(outcome("after", complaint_id="a", decided_by="appeal"))
    rows = feed_of(tenant.engine, tenant.id)
    fed = [[(o.id, o.complaint) for o in row.batch.outcomes] for row in rows]
    assert fed == [[("early", NOT_ARCHIVED), ("whole", 0)], [("early", 4), ("with", 4)], [("after", 4)]]
    with tenant.engine.connect() as connection:
        found = outcomes_of(connection, tenant.id, [key_of("t"), key_of("none")])
        before = outcomes_of(connection, tenant.id, [key_of("t")], upto_seq=3)
    assert [(o.seq, o.id, o.complaint, o.decided_by) for o in found[key_of("t")]] == [
        (1, "early", 4, "person"),
        (2, "whole", 0, "person"),
        (3, "with", 4, "person"),
        (5, "after", 4, "appeal"),
    ]
    assert [(o.id, o.complaint) for o in before[key_of("t")]] == [
        ("early", NOT_ARCHIVED),
        ("whole", 0),
        ("with", NOT_ARCHIVED),
    ]
    assert list(found) == [key_of("t")]


def test_a_retraction_is_fed_and_an_outcome_without_one_as_older_versions_read_it(tenant: Tenant) -> None:
    tenant.takes(outcome("o"), outcome("r", retracts="o", verdict=None), outcome("o", retracts="r"))
    with tenant.engine.connect() as connection:
        (found,) = outcomes_of(connection, tenant.id, [key_of("t")]).values()
        payload = connection.scalar(select(feed.c.payload).where(feed.c.tenant_id == tenant.id))
    assert [(o.id, o.retracts) for o in found] == [("o", None), ("r", "o")], "the first version of an item stands"
    batch = unpack(payload)
    assert list(batch.outcomes) == found and pack(batch) == payload
    older = replace(batch, outcomes=tuple(replace(o, retracts=None) for o in batch.outcomes))
    rest = pack(older).removeprefix((0).to_bytes(8, "little") * 2)
    assert [len(o) for o in json.loads(zlib.decompress(rest[8:-8]))["outcomes"]] == [8, 8]
    assert unpack(pack(older)).outcomes == older.outcomes


def test_a_redelivered_entry_changes_nothing_not_even_a_counter(tenant: Tenant) -> None:
    entries = batches([complaint("a"), complaint("b", reporter="y"), outcome("o")], (2,))
    archive(tenant.engine, tenant.id, tenant.epoch, entries)
    before = tenant.counters(), len(feed_of(tenant.engine, tenant.id))
    again = archive(tenant.engine, tenant.id, tenant.epoch, entries)
    assert (again.archived, again.archived_position) == (0, 3)
    assert (tenant.counters(), len(feed_of(tenant.engine, tenant.id))) == before


def test_an_entry_of_which_a_part_is_archived_is_taken_from_there(tenant: Tenant) -> None:
    lines = [complaint("a"), complaint("b", reporter="y"), complaint("c", reporter="z")]
    archive(tenant.engine, tenant.id, tenant.epoch, [StreamEntry("7-1", 1, 1, b"\n".join(lines[:2]))])
    result = archive(tenant.engine, tenant.id, tenant.epoch, [StreamEntry("7-1", 1, 1, b"\n".join(lines))])
    assert (result.archived, result.duplicates, result.archived_position) == (1, 0, 3)


def test_positions_that_a_rolled_back_redis_hands_out_again_are_not_taken_for_redelivered(tenant: Tenant) -> None:
    archive(
        tenant.engine,
        tenant.id,
        tenant.epoch,
        [StreamEntry("100-0", 1, 1, complaint("a")), StreamEntry("200-0", 2, 2, complaint("b", reporter="y"))],
    )
    result = archive(tenant.engine, tenant.id, tenant.epoch, [StreamEntry("300-0", 2, 3, complaint("c", reporter="z"))])
    assert (result.archived, result.archived_position) == (1, 2)
    assert set(tenant.states) == {"a", "b", "c"}


def test_an_older_epoch_commits_nothing(tenant: Tenant) -> None:
    newer = take_epoch(tenant.engine, ingest_state, tenant.id)
    with pytest.raises(LostLease, match=f"epoch {newer} has replaced {tenant.epoch}"):
        tenant.takes(complaint("a"))
    assert tenant.states == {}


def test_repeats_alone_still_move_the_position_that_detection_sees(tenant: Tenant) -> None:
    tenant.takes(complaint("a"))
    tenant.takes(complaint("a"), complaint("a"))
    tenant.takes(complaint("b", reporter="y"))
    rows = feed_of(tenant.engine, tenant.id)
    assert [(row.last_position, row.items, len(row.batch.complaints)) for row in rows] == [
        (1, 1, 1),
        (3, 2, 0),
        (4, 1, 1),
    ]
    with tenant.engine.connect() as connection:
        assert unfinished_of(connection, tenant.id).unanalysed == 4
        assert contents_of(connection, tenant.id, [1, 2, 3]).keys() == {1, 3}


def test_the_feed_is_read_in_slices_of_whole_rows(tenant: Tenant) -> None:
    for number in range(6):
        tenant.takes(*[complaint(f"{number}-{k}", reporter=f"r{number}-{k}") for k in range(3)])
    with tenant.engine.connect() as connection:
        read = [[row.last_seq for row in read_feed(connection, tenant.id, after, 7)] for after in (0, 6, 15, 18)]
    assert read == [[3, 6], [9, 12], [18], []]


def test_a_window_of_the_feed_holds_what_was_removed_from_it_and_no_rows_of_outcomes_alone(tenant: Tenant) -> None:
    tenant.takes(complaint("old", 0, reporter="x"))
    tenant.takes(complaint("a", 5 * DAY))
    tenant.takes(outcome("o"))
    tenant.takes(withdrawal("old"))
    tenant.takes(withdrawal("a"))
    with tenant.engine.connect() as connection:
        rows = read_feed(connection, tenant.id, 0, 100)
        since = rows[1].newest_us
        assert since is not None
        assert [row.last_seq for row in read_feed_window(connection, tenant.id, since, 100)] == [2, 5]
        assert [row.last_seq for row in read_feed_window(connection, tenant.id, since, 4)] == [2]
        assert [row.last_seq for row in read_feed_window(connection, tenant.id, 0, 100)] == [1, 2, 4, 5]


def test_a_tenants_ids_mean_nothing_to_another(engine: Engine) -> None:
    one, other = Tenant(engine, "one"), Tenant(engine, "other")
    one.takes(complaint("a"), withdrawal("b"), outcome("o"))
    other.takes(complaint("a", 3), complaint("b", reporter="y"), outcome("o", verdict="rejected"))
    assert other.states == {"a": STANDING, "b": STANDING}
    assert other.counters() == (3, 0, 0, 0)
    assert (one.total(), other.total()) == (1, 2)


@pytest.mark.parametrize(
    "line",
    [
        b"c{}",
        b"cnonsense",
        b'x{"id":"a"}',
        b"",
        b'c{"id":"a","occurred_at":"yesterday","reporter":{"id":"r"},"target":{"id":"t"}}',
    ],
)
def test_a_line_that_is_no_item_fails_the_whole_commit(tenant: Tenant, line: bytes) -> None:
    with pytest.raises((ValueError, KeyError, LookupError)):
        tenant.takes(complaint("fine"), line)
    with tenant.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(complaints)) == 0
        assert ingest_state_of(connection, tenant.id).archived_position == 0


def test_ids_of_every_script_and_of_full_length_are_kept_apart(tenant: Tenant) -> None:
    names = ["é", "e\u0301", "𝔘", "a/brief", "..", " ", "'; DROP TABLE complaints; --", "界" * 128, "%s", "?"]
    tenant.takes(*[complaint(name, number, reporter=name, target=name) for number, name in enumerate(names)])
    tenant.takes(*[complaint(name, number, reporter=name, target=name) for number, name in enumerate(names)])
    assert tenant.counters() == (20, 10, 0, 0)
    with tenant.engine.connect() as connection:
        reporters, targets = ids_by_key(connection, tenant.id, reporters=map(key_of, names), targets=map(key_of, names))
    assert set(reporters.values()) == set(targets.values()) == set(names)
