"""Discourse's reviewables: cumulative flags, and the decisions on them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from service.platforms.payload import Unusable
from tests.service.platforms.payloads import discourse, score
from tests.service.platforms.reading import NOW, read, taken

FIRST, SECOND = score(1, 501, "2024-05-03T10:00:00.000Z"), score(2, 502, "2024-05-03T10:05:00.250Z", "inappropriate")


def test_each_score_is_a_complaint_under_its_own_id() -> None:
    first, second = taken(read("discourse", discourse(FIRST, SECOND)))
    assert first == {
        "kind": "c",
        "id": "1",
        "occurred_at": "2024-05-03T10:00:00Z",
        "reporter": {"id": "501", "trusted": False},
        "target": {
            "id": "9001",
            "kind": "post",
            "author_id": "600",
            "context_id": "77",
            "context_url": "https://forum.example/t/bread/77",
            "url": "https://forum.example/t/bread/77/9",
        },
        "reason": "spam",
    }
    assert (second["id"], second["occurred_at"], second["reporter"]["id"], second["reason"]) == (
        "2",
        "2024-05-03T10:05:00.250000Z",
        "502",
        "inappropriate",
    )


def test_a_flag_is_the_same_complaint_in_every_later_event_whatever_else_changed() -> None:
    alone = taken(read("discourse", discourse(FIRST)))
    later = taken(
        read(
            "discourse",
            discourse(
                {**FIRST, "status": 1, "score": 9.0, "agree_stats": {"agreed": 4}},
                SECOND,
                version=7,
                score=12.5,
                cooked="edited",
                post_version=3,
            ),
        )
    )
    assert later[:1] == alone


@pytest.mark.parametrize("archetype", ["regular", "private_message"])
def test_the_topics_title_comes_from_beside_the_reviewable_but_not_that_of_a_private_message(archetype: str) -> None:
    topics = [{"id": 78, "title": "Another"}, {"id": 77, "title": "Is rye bread?", "archetype": archetype}]
    (beside,) = taken(read("discourse", {**discourse(FIRST), "topics": topics}))
    (within,) = taken(read("discourse", discourse(FIRST, topic=topics[1])))
    assert beside == within
    assert beside["target"].get("context_title") == ("Is rye bread?" if archetype == "regular" else None)


def test_an_approved_reviewable_upholds_and_a_rejected_one_rejects_exactly_the_flags_in_it() -> None:
    *_, upheld = taken(read("discourse", discourse(FIRST, SECOND, status=1, version=1)))
    assert upheld == {
        "kind": "o",
        "id": "reviewable/41/000001/1",
        "target_id": "9001",
        "decided_at": "2024-05-03T10:05:00.252000Z",
        "verdict": "upheld",
        "decided_by": "person",
    }
    *_, rejected = taken(read("discourse", discourse(FIRST, SECOND, status=2, version=3)))
    assert (rejected["verdict"], rejected["action"], rejected["id"]) == ("rejected", "kept", "reviewable/41/000003/2")
    assert rejected["decided_at"] > upheld["decided_at"]


@pytest.mark.parametrize("status", [0, 3, 4, None, True, "1", 99])
def test_pending_ignored_and_deleted_decide_nothing(status: Any) -> None:
    assert [item["kind"] for item in taken(read("discourse", discourse(FIRST, status=status)))] == ["c"]


def test_the_order_and_number_of_deliveries_change_nothing() -> None:
    events = [
        discourse(FIRST),
        discourse(FIRST, SECOND),
        discourse(FIRST, SECOND, status=2, version=1),
        discourse(FIRST, SECOND, score(3, 503, "2024-05-03T11:00:00.000Z"), version=1),
    ]
    events.append(discourse(FIRST, SECOND, score(3, 503, "2024-05-03T11:00:00.000Z"), status=1, version=2))

    def archived(order: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
        kept: dict[tuple[str, str], Any] = {}
        for event in order:
            for item in taken(read("discourse", event, now=NOW + timedelta(seconds=len(kept)))):
                kept.setdefault((item["kind"], item["id"]), item)
        return kept

    expected = archived(events)
    assert len(expected) == 5
    for seed in range(20):
        shuffled = random.Random(seed).choices(events, k=12) + random.Random(seed).sample(events, k=5)
        assert archived(shuffled) == expected
    decided = sorted(
        (item["decided_at"], item["id"], item["verdict"]) for (kind, _), item in expected.items() if kind == "o"
    )
    assert [verdict for _, _, verdict in decided] == ["rejected", "upheld"]


def test_what_the_system_flags_is_a_machine_and_what_it_decides_is_automatic() -> None:
    reviewed = {"reviewed_at": "2024-05-03T12:00:00.000Z", "reviewed_by": {"id": -1, "username": "system"}, "status": 1}
    by_system, by_person, decision = taken(
        read("discourse", discourse(score(1, -1, FIRST["created_at"]), {**SECOND, **reviewed}, status=1, version=1))
    )
    assert by_system["machine"] is True and "machine" not in by_person
    assert (decision["decided_by"], decision["decided_at"]) == ("automatic", "2024-05-03T12:00:00.002000Z")
    *_, decision = taken(
        read(
            "discourse",
            discourse({**FIRST, **reviewed, "reviewed_by": {"id": 3}}, {**SECOND, **reviewed}, status=1, version=1),
        )
    )
    assert decision["decided_by"] == "person"


def test_flags_that_are_only_ids_are_noted_and_the_first_flag_is_kept() -> None:
    delivery = read(
        "discourse", discourse(reviewable_score_ids=[12, 11, 13], reviewable_scores=..., status=1, version=1)
    )
    first, decision = taken(delivery)
    assert (first["id"], first["reporter"]["id"], first["occurred_at"]) == ("11", "501", "2024-05-03T10:00:00Z")
    assert (decision["verdict"], decision["decided_at"]) == ("upheld", "2026-11-22T12:00:00Z")
    assert any("3 of 3 flags are only ids" in note for note in delivery.notes)
    partly = read("discourse", discourse(FIRST, reviewable_score_ids=[1, 2]))
    assert [item["id"] for item in taken(partly)] == ["1"]
    assert any("1 of 2" in note for note in partly.notes)


def test_scores_beside_the_reviewable_and_bare_user_ids_are_read_too() -> None:
    event = discourse(reviewable_score_ids=[1], reviewable_scores=...)
    event["reviewable_scores"] = [
        {"id": 1, "user_id": 88, "created_at": "2024-05-03T10:00:00.000Z", "score_type_id": 10}
    ]
    (item,) = taken(read("discourse", event))
    assert (item["reporter"]["id"], item["reason"], item["notice_type"]) == ("88", "illegal", "illegal_content")
    assert read("discourse", event).notes == []


def test_a_flagged_chat_message_is_a_target_of_its_own_kind() -> None:
    (item,) = taken(
        read(
            "discourse",
            {
                "reviewable": {
                    "id": 5,
                    "type": "ReviewableChatMessage",
                    "chatmessage_id": 3,
                    "status": 0,
                    "reviewable_scores": [FIRST],
                }
            },
        )
    )
    assert (item["target"]["id"], item["target"]["kind"]) == ("chat-message/3", "chat-message")


COMMENT = {
    "id": 6,
    "type": "ReviewablePostVotingComment",
    "status": 0,
    "topic_id": 77,
    "post_id": 9001,
    "target_id": 14,
    "target_created_by_id": 601,
    "reviewable_scores": [FIRST],
}


@pytest.mark.parametrize(
    "comment",
    [
        {**COMMENT, "target_type": "PostVotingComment", "postvotingcomment_id": 14},
        COMMENT,
        {**COMMENT, "postvotingcomment_id": 14, "target_id": None},
    ],
)
def test_a_comment_under_a_post_is_the_target_and_not_the_post(comment: dict[str, Any]) -> None:
    (item,) = taken(read("discourse", {"reviewable": comment}))
    assert item["target"] == {
        "id": "post-voting-comment/14",
        "kind": "post-voting-comment",
        "author_id": "601",
        "context_id": "77",
    }


@pytest.mark.parametrize("kind", ["Chat::Message", "ChatMessage"])
def test_the_type_of_the_target_decides_whatever_else_is_there(kind: str) -> None:
    event = discourse(FIRST, type="ReviewableAiChatMessage", target_type=kind, target_id=3)
    assert taken(read("discourse", event))[0]["target"]["id"] == "chat-message/3"
    post = discourse(FIRST, target_type="Post", target_id=9002, post_id=...)  # a deleted post has no post_id
    assert taken(read("discourse", post))[0]["target"]["id"] == "9002"
    older = discourse(FIRST, type="ReviewableAiChatMessage", post_id=..., chatmessage_id=3)
    assert taken(read("discourse", older))[0]["target"]["id"] == "chat-message/3"


HISTORIES = [
    {"id": number, "reviewable_history_type": kind, "status": status, "created_at": at, "created_by_id": by}
    for number, (kind, status, at, by) in enumerate(
        [
            (0, 0, "2024-05-03T10:00:00.000Z", 501),
            (1, 1, "2024-05-03T11:00:00.000Z", -1),
            (1, 0, "2024-05-03T11:30:00.000Z", 502),
            (1, 1, "2024-05-03T12:00:00.000Z", 3),
            (3, 1, "2024-05-03T13:00:00.000Z", -1),
        ],
        1,
    )
]


def test_the_history_beside_a_reviewable_says_who_decided_and_when() -> None:
    event = {**discourse(FIRST, SECOND, status=1, version=2), "reviewable_histories": HISTORIES}
    *_, decision = taken(read("discourse", event))
    assert (decision["decided_at"], decision["decided_by"]) == ("2024-05-03T12:00:00Z", "person")
    event["reviewable_histories"] = HISTORIES[:3]
    *_, decision = taken(read("discourse", event))
    assert (decision["decided_at"], decision["decided_by"]) == ("2024-05-03T11:00:00Z", "automatic")
    # What is older than the last flag did not decide on it: the version's time does.
    later = {**event, **discourse(FIRST, {**SECOND, "created_at": "2024-05-03T11:40:00.000Z"}, status=1, version=2)}
    *_, decision = taken(read("discourse", later))
    assert decision["decided_at"] == "2024-05-03T11:40:00.003000Z"
    ids_alone = discourse(FIRST, status=1, version=1, reviewable_history_ids=[1, 2])
    assert taken(read("discourse", ids_alone))[-1]["decided_by"] == "person"


@pytest.mark.parametrize(
    "document",
    [
        {"ping": "OK"},
        {"post": {"id": 1}},
        {"flag": {"id": 1}},
        discourse(FIRST, type="ReviewableQueuedPost"),
        discourse(FIRST, post_id=...),
        discourse(FIRST, target_type="User", target_id=600),
        discourse(FIRST, target_type="Post", target_id=None),
        discourse(FIRST, type="ReviewablePostVotingComment"),
    ],
)
def test_what_is_no_complaint_is_answered_and_said(document: object) -> None:
    delivery = read("discourse", document)
    assert delivery.items == [] and len(delivery.notes) == 1


@pytest.mark.parametrize(
    "document",
    [[], None, "ping", 1, {"reviewable": []}, {"reviewable": {}}, {"reviewable": {"id": True, "post_id": 1}}],
)
def test_what_discourse_never_sends_is_refused(document: object) -> None:
    with pytest.raises(Unusable):
        read("discourse", document)


def test_nothing_of_the_posts_text_is_taken() -> None:
    assert "Rye" not in str(taken(read("discourse", discourse(FIRST, SECOND, status=1))))
