"""Lemmy's report lists: /api/v3 (0.19 and before: one list per kind) and /api/v4 (1.0: one list of all). PURE.

Reports about comments, posts and communities are complaints; those about private messages are left out, since nobody
but their receiver could have seen the message. A report that a server forwarded for its users is a machine's. A
resolved report is an outcome: removed means upheld, resolved and still there means rejected. It says nothing where the
moderator may have acted otherwise than on the target itself: what its author deleted, what went with its post or its
community, and what its author was banned for.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from service.fields import TITLE_CHARACTERS
from service.model import JsonObject
from service.platforms.items import complaint, link, outcome, words
from service.platforms.listed import EXCERPT_CHARACTERS, Listing, gather, mapping, moment, moment_if_any, number
from service.platforms.payload import record

_KINDS = ("comment", "post", "community")
_ORIGINAL = {"comment": "original_comment_text", "post": "original_post_name", "community": "original_community_name"}


def listing_of(views: Sequence[object]) -> Listing:
    """What a list of report views holds, of either version of the API."""
    return gather(views, _read)


def _read(view: JsonObject, listing: Listing) -> None:
    kind = next((kind for kind in _KINDS if isinstance(view.get(f"{kind}_report"), dict)), None)
    if kind is None:
        message = view.get("private_message_report")
        made_then = moment_if_any(_published(message)) if isinstance(message, dict) else None
        listing.times += [] if made_then is None else [made_then]
        listing.left_out["unreadable" if message is None else "private message"] += 1
        return
    report = view[f"{kind}_report"]
    made = moment(_published(report), "published")
    listing.times.append(made)
    subject = mapping(view.get(kind), kind)
    creator = view.get("creator")
    creator = creator if isinstance(creator, dict) else {}
    identity = f"{kind}-report/{number(report.get('id'), 'id')}"
    target = f"{kind}/{number(report.get(f'{kind}_id'), f'{kind}_id')}"
    listing.items.append(
        complaint(
            id=identity,
            occurred_at=made,
            text=words(report.get("reason")),
            machine=_is_server(creator),
            id_attributes=("community",),
            reporter={
                "id": str(number(report.get("creator_id"), "creator_id")),
                "account_created_at": moment_if_any(_published(creator)),
            },
            target={
                "id": target,
                "kind": kind,
                "author_id": _person(subject.get("creator_id")),
                **_context(kind, subject, report, view),
                "url": words(subject.get("ap_id")),
                "excerpt": words(report.get(_ORIGINAL[kind]), EXCERPT_CHARACTERS),
                "attributes": _attributes(view),
            },
        )
    )
    _outcome(identity, target, report, subject, view, listing)


def _outcome(
    identity: str, target: str, report: JsonObject, subject: JsonObject, view: JsonObject, listing: Listing
) -> None:
    if report.get("resolved") is not True:
        return
    removed = subject.get("removed") is True
    otherwise = None if removed else _otherwise(subject, view)
    if otherwise is not None:
        listing.left_out[otherwise] += 1
        return
    decided = moment_if_any(report.get("updated") or report.get("updated_at")) or moment(
        _published(report), "published"
    )
    verdict, action = ("upheld", "removed") if removed else ("rejected", "kept")
    resolver = view.get("resolver")
    by = "automatic" if isinstance(resolver, dict) and resolver.get("bot_account") is True else "person"
    # The time is part of the id: a report that is opened again and resolved otherwise is a second decision.
    listing.items.append(
        outcome(
            id=f"{identity}/{action}/{decided:%Y%m%dT%H%M%S}",
            target_id=target,
            decided_at=decided,
            verdict=verdict,
            action=action,
            decided_by=by,
        )
    )


def _otherwise(subject: JsonObject, view: JsonObject) -> str | None:
    """What makes "still there" no judgement; None: nothing."""
    if subject.get("deleted") is True:
        return "deleted by its author"
    for around in ("post", "community"):
        holds = view.get(around)
        if isinstance(holds, dict) and (holds.get("removed") is True or holds.get("deleted") is True):
            return f"gone with its {around}"
    # `creator_banned` of /api/v4 is the author's, not the reporter's; /api/v3 has the ban in the author's own record.
    authors = [view[each] for each in ("comment_creator", "post_creator") if isinstance(view.get(each), dict)]
    bans = [view.get("creator_banned"), view.get("creator_banned_from_community"), *(a.get("banned") for a in authors)]
    return "its author is banned" if any(ban is True for ban in bans) else None


def _published(record: JsonObject) -> object:
    return record.get("published") or record.get("published_at")


def _person(value: object) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _context(kind: str, subject: JsonObject, report: JsonObject, view: JsonObject) -> JsonObject:
    """The thread: the post that a comment is under, or the reported post itself, under the name that it had then."""
    if kind == "community":
        return {}
    thread = _person(subject.get("post_id") if kind == "comment" else report.get("post_id"))
    if thread is None:
        return {}
    post = record(view.get("post"))
    name = post.get("name") if kind == "comment" else report.get(_ORIGINAL[kind])
    return {
        "context_id": f"post/{thread}",
        "context_title": words(name, TITLE_CHARACTERS),
        "context_url": link(post.get("ap_id")),
    }


def _attributes(view: JsonObject) -> JsonObject | None:
    community = view.get("community")
    identity = _person(community.get("id")) if isinstance(community, dict) else None
    return None if identity is None else {"community": f"community/{identity}"}


def _is_server(creator: JsonObject) -> bool:
    """Whether a server, not a person, reported: a bot account, or the actor under which Mastodon forwards its users'
    reports.
    """
    if creator.get("bot_account") is True:
        return True
    actor = creator.get("ap_id") or creator.get("actor_id")
    if creator.get("local") is not False or not isinstance(actor, str):
        return False
    try:
        return urlsplit(actor).path.rstrip("/") in ("", "/actor")
    except ValueError:
        return False
