"""Whatever a platform's list holds, reading it gives items that the contract takes, or a count of what was left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.intake.items import canonical
from service.intake.privacy_filter import PrivacyFilter
from service.model import RejectedItem
from service.platforms import coral_dsa, coral_flags, lemmy_reports, ozone_activities, ozone_events
from service.platforms.coral import Coral
from service.platforms.items import words
from service.platforms.lemmy import Lemmy
from service.platforms.listed import Listing, Unreadable, moment
from service.platforms.ozone import Ozone
from service.platforms.ozone_acts import CLOSING, REMEMBERED, Acts, acts_of
from service.platforms.poll_pagination import Pace, Walk, stored_of, walk_of
from service.platforms.poll_protocol import Poller, Unexpected

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(
        [
            "2026-11-01T11:00:00Z",
            "2026-11-01T11:00:00",
            "COMMENT_REPORTED_SPAM",
            "REJECTED",
            "did:plc:a",
            "at://did:plc:a/app.bsky.feed.post/1",
            ozone_events.REPORT,
            ozone_events.TAKEDOWN,
            ozone_events.LABEL,
            ozone_events.REVERSAL,
            "tools.ozone.report.defs#closeActivity",
            "ILLEGAL",
            "x#reasonSpam",
        ]
    )
)
NAMES = st.sampled_from(
    [
        "node",
        "id",
        "createdAt",
        "reason",
        "flagger",
        "comment",
        "author",
        "story",
        "metadata",
        "title",
        "url",
        "statusHistory",
        "edges",
        "status",
        "moderator",
        "comment_report",
        "post_report",
        "community_report",
        "post",
        "community",
        "private_message_report",
        "creator",
        "creator_id",
        "comment_id",
        "post_id",
        "published",
        "published_at",
        "resolved",
        "removed",
        "updated",
        "resolver",
        "bot_account",
        "local",
        "ap_id",
        "event",
        "$type",
        "subject",
        "uri",
        "did",
        "messageId",
        "createdBy",
        "reportType",
        "createLabelVals",
        "negateLabelVals",
        "activity",
        "report",
        "reportId",
        "eventId",
        "convoId",
        "history",
        "decision",
        "legality",
        "submissionID",
        "modTool",
        "name",
    ]
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8), max_leaves=25
)
VIEW = st.fixed_dictionaries(
    {
        "comment_report": st.dictionaries(NAMES, LEAVES, max_size=8),
        "comment": st.dictionaries(NAMES, LEAVES, max_size=5),
        "creator": st.dictionaries(NAMES, LEAVES, max_size=4),
    }
)


def takes(listing: Listing) -> None:
    for item in listing.valid(NOW, PrivacyFilter()):
        read = item.read(NOW, PrivacyFilter())
        assert not isinstance(read, RejectedItem)
        line = canonical(read, item.noun)
        assert line[:1] in (b"c", b"o") and json.loads(line[1:])["id"] == item.id and b"\n" not in line


@given(st.lists(JSON, max_size=4))
@settings(max_examples=150)
def test_no_list_makes_an_adapter_raise(entries: list[Any]) -> None:
    takes(coral_flags.listing_of({"edges": entries}))
    takes(lemmy_reports.listing_of(entries))
    takes(ozone_events.listing_of(entries, Acts()))
    takes(ozone_activities.listing_of(entries, Acts()))
    takes(coral_dsa.listing_of({"edges": [{"node": entry} for entry in entries]}))


@given(st.lists(VIEW, max_size=3), st.lists(st.dictionaries(NAMES, JSON, max_size=8), max_size=3))
@settings(max_examples=100)
def test_no_entry_of_nearly_the_right_shape_does(views: list[Any], entries: list[Any]) -> None:
    takes(lemmy_reports.listing_of(views))
    takes(coral_flags.listing_of({"edges": [{"node": entry} for entry in entries]}))
    takes(ozone_events.listing_of(entries, Acts()))
    takes(ozone_activities.listing_of(entries, Acts()))
    takes(coral_dsa.listing_of({"edges": [{"node": entry} for entry in entries]}))


@pytest.mark.parametrize("platform", [Coral(), Lemmy(), Ozone()])
@given(
    answer=JSON
    | st.fixed_dictionaries({"reports": JSON, "events": JSON, "cursor": JSON, "next_page": JSON})
    | st.fixed_dictionaries({"data": st.fixed_dictionaries({"flags": JSON})}),
    cursor=st.dictionaries(NAMES | st.sampled_from(["walks", "acts", "before"]), JSON, max_size=3),
)
@settings(max_examples=100)
def test_no_answer_and_no_cursor_makes_a_platform_raise_anything_but_its_own_refusal(
    platform: Poller, answer: Any, cursor: Any
) -> None:
    ask = platform.ask(cursor, NOW)
    assert ask is not None
    try:
        taken = platform.read(cursor, ask, answer, NOW)
    except Unexpected:
        return
    takes(taken.listing)
    # as text: NaN is not equal to itself
    assert json.dumps(json.loads(json.dumps(taken.cursor))) == json.dumps(taken.cursor)


def test_times_without_an_offset_are_utc_and_what_is_no_time_is_named() -> None:
    assert moment("2026-11-01T11:00:00.123456", "at") == datetime(2026, 11, 1, 11, 0, 0, 123456, tzinfo=UTC)
    assert moment("2026-11-01T13:00:00+02:00", "at") == datetime(2026, 11, 1, 11, tzinfo=UTC)
    for wrong in ("", "yesterday, at noon", 5, None, "0001-01-01T00:00:00+23:00", "x" * 10_000):
        with pytest.raises(Unreadable, match="at "):
            moment(wrong, "at")


def test_prose_is_cut_and_cleaned() -> None:
    assert words("a\x00b\ud800" + "x" * 5_000, 6) == "a b?xx"
    assert words("") is None and words(5) is None


def test_a_walk_goes_back_a_little_before_the_newest_it_knows() -> None:
    pace = Pace(timedelta(0), timedelta(days=30), timedelta(minutes=10))
    walk = Walk().begun(pace, NOW)
    assert walk.bound == NOW - timedelta(days=30)
    walk = walk.onward([NOW - timedelta(hours=1)], "2", NOW)
    assert (
        walk.under_way
        and walk.begun(pace, NOW + timedelta(days=9)) == walk
        and walk_of(json.loads(json.dumps(stored_of(walk)))) == walk
    )
    # An entry from the future is somebody's clock: it must not hide what comes before it.
    done = walk.onward([NOW - timedelta(hours=2), NOW + timedelta(days=365)], None, NOW)
    assert not done.under_way and done.begun(pace, NOW + timedelta(minutes=1)).bound == NOW - timedelta(
        hours=1, minutes=10
    )
    assert (
        not done.due(pace, NOW)
        and done.due(pace, NOW + timedelta(seconds=1))
        and done.due(pace, NOW - timedelta(hours=1))
    )


def test_a_review_always_goes_back_the_whole_way_and_waits_for_its_time() -> None:
    pace = Pace(timedelta(minutes=15), timedelta(days=7), None)
    done = Walk().begun(pace, NOW).onward([NOW], None, NOW)
    assert not done.due(pace, NOW + timedelta(minutes=14)) and done.due(pace, NOW + timedelta(minutes=15))
    assert done.begun(pace, NOW + timedelta(hours=1)).bound == NOW + timedelta(hours=1) - timedelta(days=7)


def test_acts_are_remembered_with_their_end_and_the_oldest_are_forgotten_first() -> None:
    acts = Acts()
    acts.remember("post", "1", "spam", (10, 1))
    acts.remember("post", "1", "rude", (10, 1))
    acts.remember("post", "act/1", f"{CLOSING}5", (11, 1))
    assert acts.done("post", (12, 2)) and not acts.done("post", (10, 1)) and not acts.done("other", (12, 2))
    assert acts.end("post", ["spam", "never"], (20, 2)) == [] and acts.end("post", ["rude"], (30, 3)) == ["1"]
    kept = acts_of(json.loads(json.dumps(acts.stored())))
    assert kept == acts
    # Read again, each event means what it meant the first time.
    kept.remember("post", "1", "spam", (10, 1))
    assert kept.end("post", ["spam"], (20, 2)) == [] and kept.end("post", ["rude"], (30, 3)) == ["1"]
    assert kept.done("post", (25, 0)) and not kept.done("post", (31, 0)) and kept == acts
    assert kept.overrule("post", (40, 0)) == ["act/1"]
    for number in range(REMEMBERED):
        kept.remember(f"post-{number}", "x", None, (50, number))
    assert len(acts_of(kept.stored()).known) == REMEMBERED and not acts_of(kept.stored()).done("post", (12, 2))


@pytest.mark.parametrize(
    "row",
    [None, 7, [], ["a", "b", None], ["a", "b", 3, 1, 1], ["a", "b", None, -1, 1], ["a", "b", None, True, 1, 2, 3]],
)
def test_acts_that_nobody_could_have_stored_are_left_out(row: Any) -> None:
    assert acts_of([row, ["a", "b", None, 1, 2]]).known == acts_of([["a", "b", None, 1, 2]]).known
