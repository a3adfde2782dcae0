"""An id that was withdrawn and is used again, as SQLite hands out the row ids of deleted rows a second time: whose
complaint counts, and what detection and outcomes make of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from archive_lines import batches, complaint, feed_of, outcome, standing_by_feed, states, totals, withdrawal
from sqlalchemy import Engine, select

from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_reader import contents_of, ingest_state_of, outcomes_of
from service.storage.complaints.archive_writer import commit
from service.storage.complaints.target_history import list_of_reporter
from service.storage.privacy import export
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.redis_store.leases import take_epoch
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import STANDING, WITHDRAWN, complaints, ingest_state

ANNA, BERT, CLEO = (
    complaint("1", 10, reporter="anna", target="t"),
    complaint("1", 20, reporter="bert", target="t"),
    complaint("1", 30, reporter="anna", target="u"),
)
GONE = withdrawal("1")
KEY = bytes(range(32))


class Archive:
    """A tenant whose items are archived in commits of any size."""

    def __init__(self, engine: Engine, privacy_filter: PrivacyFilter | None = None, name: str = "paper") -> None:
        self.engine, self.id = engine, create_tenant(engine, name, 0)
        self.epoch = take_epoch(engine, ingest_state, self.id)
        self.privacy_filter = privacy_filter or PrivacyFilter(KEY)
        self.position = 0

    def takes(self, *lines: bytes, size: int = 0, first: int | None = None) -> None:
        """Archive the lines, `size` of them at once (0: all); `first`: at positions that were used before."""
        for start in range(0, len(lines), size or len(lines)):
            part = lines[start : start + (size or len(lines))]
            with write(self.engine) as connection:
                commit(
                    connection,
                    self.id,
                    self.epoch,
                    batches(part, (), self.position + 1 if first is None else first + start),
                    self.privacy_filter,
                )
            if first is None:
                self.position += len(part)

    def standing(self) -> set[tuple[str, str, str]]:
        """(id, reporter, target) of the complaints that count, which detection has too."""
        with self.engine.connect() as connection:
            c = complaints.c
            rows = connection.execute(
                select(c.id, c.reporter_id, c.target_id).where(c.tenant_id == self.id, c.state == STANDING)
            )
            stored = {(row.id, row.reporter_id, row.target_id) for row in rows}
            seqs = standing_by_feed(feed_of(self.engine, self.id))
            held = contents_of(connection, self.id, sorted(seqs)).values()
        assert {(body["id"], body["reporter"]["id"], body["target"]["id"]) for body in held} == stored
        counted = {key_of(target): 0 for _, _, target in stored}
        for _, _, target in stored:
            counted[key_of(target)] += 1
        assert {key: total for key, total in totals(self.engine, self.id).items() if total} == counted
        return stored

    def counters(self) -> tuple[int, int, int]:
        with self.engine.connect() as connection:
            state = ingest_state_of(connection, self.id)
        return state.archived, state.duplicates, state.conflicting


@pytest.fixture
def archive(engine: Engine) -> Archive:
    return Archive(engine)


STORIES: list[tuple[list[bytes], Iterable[tuple[str, str]]]] = [
    ([ANNA, GONE, BERT], {("bert", "t")}),
    ([ANNA, GONE, CLEO], {("anna", "u")}),
    ([ANNA, GONE, ANNA], ()),
    ([ANNA, GONE, complaint("1", 99, reporter="anna", target="t", reason="other")], ()),
    ([GONE, ANNA], ()),
    ([GONE, ANNA, BERT], {("bert", "t")}),
    ([ANNA, GONE, BERT, ANNA], {("bert", "t")}),
    ([ANNA, GONE, BERT, BERT, GONE], ()),
    ([ANNA, GONE, BERT, GONE, GONE, ANNA, BERT], ()),
    ([ANNA, GONE, BERT, GONE, CLEO], {("anna", "u")}),
    ([ANNA, GONE, BERT, GONE, CLEO, ANNA, BERT, CLEO], {("anna", "u")}),
    ([ANNA, GONE, BERT, GONE, CLEO, GONE, ANNA, BERT, CLEO], ()),
    ([ANNA, BERT], {("anna", "t")}),  # not withdrawn: the first content of an id wins
    ([complaint("1", machine=True), GONE, BERT], {("bert", "t")}),
    ([ANNA, complaint("2", 50, reporter="anna", target="t"), GONE, BERT], {("anna", "t"), ("bert", "t")}),
]


@pytest.mark.parametrize("size", [0, 1, 2, 3])
@pytest.mark.parametrize("number", range(len(STORIES)))
def test_another_complaint_under_a_withdrawn_id_counts_and_the_same_one_does_not(
    archive: Archive, number: int, size: int
) -> None:
    lines, expected = STORIES[number]
    archive.takes(*lines, size=size)
    assert {(reporter, target) for _, reporter, target in archive.standing()} == set(expected)


@pytest.mark.parametrize("number", range(len(STORIES)))
def test_a_redelivered_entry_changes_nothing_of_it(archive: Archive, number: int) -> None:
    lines, _ = STORIES[number]
    archive.takes(*lines)
    before = archive.standing(), archive.counters(), states(archive.engine, archive.id)
    archive.takes(*lines, first=1)
    assert (archive.standing(), archive.counters(), states(archive.engine, archive.id)) == before


def test_a_complaint_at_a_position_that_was_used_before_is_not_taken_for_the_withdrawn_one(archive: Archive) -> None:
    archive.takes(ANNA, GONE, complaint("2", reporter="x"))
    archive.takes(ANNA, GONE, BERT, first=1)  # of a Redis that was put back
    assert {(reporter, target) for _, reporter, target in archive.standing()} == {("x", "t"), ("bert", "t")}


def test_a_withdrawal_belongs_to_the_one_that_has_the_id_now(archive: Archive) -> None:
    archive.takes(ANNA, GONE, BERT, size=1)
    archive.takes(GONE)
    assert archive.standing() == set()
    archive.takes(GONE)
    assert archive.counters() == (5, 1, 0)


@pytest.mark.parametrize("size", [0, 1])
def test_outcomes_about_a_withdrawn_complaint_stay_about_it(archive: Archive, size: int) -> None:
    first, second = outcome("o-1", complaint_id="1"), outcome("o-2", complaint_id="1", verdict="rejected")
    archive.takes(ANNA, first, GONE, BERT, second, size=size)
    with archive.engine.connect() as connection:
        c = complaints.c
        seqs = {
            row.reporter_id: row.row_key & ((1 << 40) - 1)
            for row in connection.execute(select(c.reporter_id, c.row_key).where(c.tenant_id == archive.id))
        }
        about = {o.id: o.complaint for o in outcomes_of(connection, archive.id, [key_of("t")])[key_of("t")]}
    fed = {o.id: o.complaint for row in feed_of(archive.engine, archive.id) for o in row.batch.outcomes}
    assert about == fed == {"o-1": seqs["anna"], "o-2": seqs["bert"]}


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)])
def test_a_retry_is_recognised_though_pseudonyms_were_turned_on_or_off(
    engine: Engine, before: bool, after: bool
) -> None:
    archive = Archive(engine, PrivacyFilter(KEY, pseudonyms=before))
    sent = [archive.privacy_filter.line(line) for line in (ANNA, GONE)]
    archive.takes(*sent)
    archive.privacy_filter = PrivacyFilter(KEY, pseudonyms=after)
    archive.takes(archive.privacy_filter.line(ANNA))
    assert archive.standing() == set()
    bert = archive.privacy_filter.line(BERT)
    archive.takes(bert, archive.privacy_filter.line(ANNA), bert)
    assert [target for _, _, target in archive.standing()] == ["t"]


@pytest.mark.parametrize("before", [2, 3])
def test_the_id_of_an_erased_reporters_complaint_may_be_used_again(archive: Archive, before: int) -> None:
    lines = [ANNA, GONE, BERT]
    archive.takes(*lines[:before])
    rewrite = ErasureRewrite(archive.id, {"anna": "TOKEN"})
    found = rewrite.find(archive.engine)
    with write(archive.engine) as connection:
        rewrite.apply(connection, found)
    archive.privacy_filter = PrivacyFilter(KEY, erased={archive.privacy_filter.mark("anna"): "TOKEN"})
    archive.takes(BERT, ANNA)
    assert archive.standing() == {("1", "bert", "t")}
    with archive.engine.connect() as connection:
        stored = [list(connection.execute(select(table))) for table in schema.metadata.sorted_tables]
    assert "anna" not in repr(stored)


def test_what_people_see_of_a_withdrawn_complaint_has_its_own_id(archive: Archive) -> None:
    archive.takes(ANNA, GONE, BERT)
    with archive.engine.connect() as connection:
        found, _ = list_of_reporter(connection, archive.id, "anna", after=None, limit=10)
        assert [(one.id, one.state) for one in found] == [("1", "withdrawn")]
        files = {name: list(objects) for name, objects in export.tenant(connection, archive.id)}
    assert [one["id"] for one in files["withdrawn.ndjson"]] == ["1"]
    assert [one["id"] for one in files["withdrawals.ndjson"]] == ["1"]
    assert states(archive.engine, archive.id)["1"] == STANDING
    assert sorted(states(archive.engine, archive.id).values()) == [STANDING, WITHDRAWN]
