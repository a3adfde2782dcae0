"""Discourse: the webhook events of reviewables. PURE. Follows the serializers of Discourse's main branch of 2026.

A reviewable is cumulative: each event names every flag (score) so far, under its own id, so that a flag is the same
complaint in all of them. Only the body is read, since the headers are not signed.

Discourse's own webhooks name scores and histories by their ids alone (its serializers embed ids, and have no root to
put the rest beside). The review queue's API has all of them beside the reviewable: both shapes are read.

A transition's event is sent before Discourse dates its scores as reviewed, and the reviewable itself has no time:
without its history, a decision is dated right after the last flag that it was based on, by its version. So repeated or
reordered deliveries give the same result, and exactly the flags in the payload are judged.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from service.fields import REASON_CHARACTERS, TITLE_CHARACTERS
from service.model import JsonObject
from service.platforms.items import Item, complaint, link, outcome, words
from service.platforms.payload import Payload, Unusable, identity, instant, latest, record, records
from service.platforms.platform import Platform
from service.platforms.signatures import Hmac

# A queued post or an account waits for approval, without a complaint.
_NO_COMPLAINTS = ("ReviewableQueuedPost", "ReviewableUser")
# The kind of a target by its `target_type`, which older versions do not send.
_KINDS = {
    "Post": "post",
    "ChatMessage": "chat-message",
    "Chat::Message": "chat-message",
    "PostVotingComment": "post-voting-comment",
}
# For older versions: which fields name the target, by the reviewable's type. A field's name alone says little: in a
# comment of discourse-post-voting, `post_id` is the post above it.
_CHAT_FIELDS = (
    ("chat-message", "chatmessage_id"),
    ("chat-message", "chat_message_id"),
    ("chat-message", "chat::message_id"),
)
_TYPES = {
    "ReviewablePostVotingComment": (
        ("post-voting-comment", "postvotingcomment_id"),
        ("post-voting-comment", "target_id"),
    ),
    "ReviewableChatMessage": (*_CHAT_FIELDS, ("chat-message", "target_id")),
}
_OTHER_TYPES = (("post", "post_id"), *_CHAT_FIELDS)
_VERDICTS = {1: ("upheld", None), 2: ("rejected", "kept")}  # approved says that the flags were right, not what was done
_SCORE_TYPES = {
    3: "off_topic",
    4: "inappropriate",
    6: "notify_user",
    7: "notify_moderators",
    8: "spam",
    9: "needs_approval",
    10: "illegal",
}
_TRANSITION = 1  # a reviewable_history_type
_MOST_VERSIONS = 999_999


def read(document: object, now: datetime) -> Payload:
    """The flags and the decision in one event. Raises Unusable for anything but an event of Discourse."""
    if not isinstance(document, dict):
        raise Unusable("expected an event of Discourse: a JSON object")
    if "reviewable" not in document:
        note = (
            "a ping"
            if "ping" in document
            else "ignored: the event has no reviewable; select only the reviewable events in Discourse"
        )
        return Payload(notes=[note])
    reviewable = record(document["reviewable"])
    if identity(reviewable.get("id")) is None:
        raise Unusable("'reviewable' has to be an object with an id")
    target = _target(reviewable, records(document.get("topics")))
    if target is None:
        return Payload(notes=["ignored: the reviewable is not about a post, a chat message or a comment"])
    scores = records(reviewable.get("reviewable_scores")) or records(document.get("reviewable_scores"))
    delivery = Payload(items=[_complaint(score, target) for score in scores])
    missing = _missing(reviewable, scores)
    if missing:
        delivery.items += _first_of_ids(reviewable, scores, missing, target)
        delivery.notes.append(
            f"{len(missing)} of {len(missing) + len(scores)} flags are only ids, without reporter and time"
        )
    histories = records(reviewable.get("reviewable_histories")) or records(document.get("reviewable_histories"))
    decided = _decision(reviewable, scores, histories, target, now)
    return delivery if decided is None else Payload([*delivery.items, decided], delivery.notes)


def _target(reviewable: JsonObject, topics: list[JsonObject]) -> JsonObject | None:
    if reviewable.get("type") in _NO_COMPLAINTS:
        return None
    kind, found = _kind_and_id(reviewable)
    if kind is None or found is None:
        return None
    author = identity(record(reviewable.get("target_created_by")).get("id")) or identity(
        reviewable.get("target_created_by_id")
    )
    return {
        "id": found if kind == "post" else f"{kind}/{found}",
        "kind": kind,
        "author_id": author,
        **_topic(reviewable, topics),
        "url": link(reviewable.get("target_url")),
    }


def _topic(reviewable: JsonObject, topics: list[JsonObject]) -> JsonObject:
    """The topic, which the review queue's API has beside the reviewable. The title of a private message is one too."""
    number = identity(reviewable.get("topic_id"))
    topic = record(reviewable.get("topic")) or next((t for t in topics if identity(t.get("id")) == number), {})
    private = topic.get("archetype") == "private_message"
    return {
        "context_id": number,
        "context_title": None if private else words(topic.get("title"), TITLE_CHARACTERS),
        "context_url": link(reviewable.get("topic_url")),
    }


def _kind_and_id(reviewable: JsonObject) -> tuple[str | None, str | None]:
    named = reviewable.get("target_type")
    if isinstance(named, str) and named:
        return _KINDS.get(named), identity(reviewable.get("target_id"))
    for kind, name in _TYPES.get(str(reviewable.get("type")), _OTHER_TYPES):
        found = identity(reviewable.get(name))
        if found is not None:
            return kind, found
    return None, None


def _complaint(score: JsonObject, target: JsonObject) -> Item:
    flagger = identity(record(score.get("user")).get("id")) or identity(score.get("user_id"))
    kind = _score_type(score)
    return complaint(
        id=identity(score.get("id")),
        occurred_at=instant(score.get("created_at")),
        reporter={"id": flagger},
        target=target,
        reason=kind,
        notice_type="illegal_content" if kind == "illegal" else None,
        machine=_is_system(flagger) or kind == "needs_approval",
    )


def _score_type(score: JsonObject) -> str | None:
    named = score.get("score_type")
    number = (
        record(named).get("id")
        if isinstance(named, dict)
        else named
        if named is not None
        else score.get("score_type_id")
    )
    usual = _SCORE_TYPES.get(number) if isinstance(number, int) else None
    return (
        words(record(named).get("type"), REASON_CHARACTERS)
        or usual
        or words(record(named).get("title"), REASON_CHARACTERS)
    )


def _missing(reviewable: JsonObject, scores: list[JsonObject]) -> list[str]:
    """Ids of scores that are listed, but not included."""
    included = {identity(score.get("id")) for score in scores}
    listed = [
        value
        for name in ("reviewable_score_ids", "reviewable_scores")
        if isinstance(values := reviewable.get(name), list)
        for value in values
    ]
    named = (identity(value) for value in listed if not isinstance(value, dict))
    return list(dict.fromkeys(name for name in named if name is not None and name not in included))


def _first_of_ids(
    reviewable: JsonObject, scores: list[JsonObject], missing: list[str], target: JsonObject
) -> list[Item]:
    """The one flag that is known anyway: a reviewable is created by its first flagger, at the time of that flag."""
    numbers = [
        int(name)
        for name in [*missing, *(identity(score.get("id")) or "" for score in scores)]
        if name.isascii() and name.isdigit()
    ]
    maker = identity(record(reviewable.get("created_by")).get("id")) or identity(reviewable.get("created_by_id"))
    made = instant(reviewable.get("created_at"))
    if not numbers or maker is None or made is None or str(min(numbers)) not in missing:
        return []
    return [
        complaint(
            id=str(min(numbers)), occurred_at=made, reporter={"id": maker}, target=target, machine=_is_system(maker)
        )
    ]


def _decision(
    reviewable: JsonObject, scores: list[JsonObject], histories: list[JsonObject], target: JsonObject, now: datetime
) -> Item | None:
    status, version = reviewable.get("status"), reviewable.get("version")
    if isinstance(status, bool) or not isinstance(status, int) or status not in _VERDICTS:
        return None
    number = (
        version if isinstance(version, int) and not isinstance(version, bool) and 0 <= version <= _MOST_VERSIONS else 0
    )
    verdict, action = _VERDICTS[status]
    last = latest(value for score in scores for value in (score.get("created_at"), score.get("reviewed_at")))
    decided = now if last is None or last > now else last + timedelta(milliseconds=1 + number)
    transition = _transition(histories, status)
    by_system = _decided_by_system(scores)
    if transition is not None:
        at, decider = transition
        flagged = latest(score.get("created_at") for score in scores)
        decided = at if flagged is None or flagged < at else decided
        by_system = _is_system(decider)
    return outcome(
        id=f"reviewable/{identity(reviewable['id'])}/{number:06d}/{status}",
        target_id=target["id"],
        decided_at=decided,
        verdict=verdict,
        action=action,
        decided_by="automatic" if by_system else "person",
    )


def _transition(histories: list[JsonObject], status: int) -> tuple[datetime, str] | None:
    """When the reviewable last came into this status, and by whom; None if its history does not say both."""
    found = []
    for entry in histories:
        at = instant(entry.get("created_at"))
        by = identity(record(entry.get("created_by")).get("id")) or identity(entry.get("created_by_id"))
        is_transition = entry.get("reviewable_history_type") in (_TRANSITION, "transitioned")
        if is_transition and entry.get("status") == status and at is not None and by is not None:
            found.append((at, by))
    return max(found, default=None)


def _decided_by_system(scores: list[JsonObject]) -> bool:
    reviewers = [
        identity(record(score.get("reviewed_by")).get("id")) or identity(score.get("reviewed_by_id"))
        for score in scores
    ]
    named = [reviewer for reviewer in reviewers if reviewer is not None]
    return bool(named) and all(map(_is_system, named))


def _is_system(user: str | None) -> bool:
    """Discourse's own accounts (system, discobot) have negative ids."""
    return user is not None and user.startswith("-")


PLATFORM = Platform(
    name="discourse",
    words="Discourse sends its review queue; a secret is strongly recommended",
    read=lambda document, now, _mapping: read(document, now),
    scheme=lambda _mapping: Hmac("x-discourse-event-signature", prefix="sha256="),
    may_be_unsigned=True,  # it sends no signature if no secret was set there
)
