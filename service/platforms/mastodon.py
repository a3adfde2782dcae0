"""Mastodon: the webhook events report.created and report.updated. PURE. Follows mastodon/mastodon's main, before 4.7.

One report covers several statuses, each of which becomes a complaint, as does each collection. Since 4.6 reports can
name collections, but Mastodon's own serializer for webhooks leaves them out: they are read where something adds them.
Whatever a report names, it is a report of the account as well: the complaint about it is part of the same act.

The payload contains the reporter's e-mail and IP addresses, which are dropped here, as is the text of the statuses (it
changes between deliveries; the link leads to it).

`forwarded` says that a reporter here had the report sent on to the other server; such a reporter is a person. A
report that came in from another server is filed by an account of that server: a machine, for us.

`action_taken` says that the report was closed, not how. The account's state beside it has no time: a limited, sensitive
or frozen account may have been that long before the report, which was then dismissed. Only a suspended account was not:
Mastodon takes no report of one (ReportService), so the suspension came after the report. In all other cases the outcome
says that the target is still there, without a verdict, since that would count dismissed reports as right.
"""

from __future__ import annotations

from datetime import datetime

from service.fields import REASON_CHARACTERS
from service.model import JsonObject
from service.platforms.items import Item, complaint, link, outcome, words
from service.platforms.payload import Payload, Unusable, identity, instant, record, records
from service.platforms.platform import Platform
from service.platforms.signatures import Hmac

INSTANCE_ACTOR = "-99"


def read(document: object, now: datetime) -> Payload:
    """The complaints and outcomes in one event. Raises Unusable for anything but an event of Mastodon."""
    if not isinstance(document, dict) or not isinstance(document.get("event"), str):
        raise Unusable("expected an event of Mastodon: a JSON object with the field 'event'")
    if document["event"] not in ("report.created", "report.updated"):
        return Payload(
            notes=[
                "ignored: the event is not about a report; select only report.created and report.updated in Mastodon"
            ]
        )
    report = record(document.get("object"))
    number = identity(report.get("id"))
    if number is None:
        raise Unusable("'object' has to be a report with an id")
    targets = _targets(report)
    delivery = Payload(items=[_complaint(report, f"{number}/{end}", target) for end, target in targets])
    end, account = _account(report)
    named = next((f"{number}/{first}" for first, target in targets if first != end and target["id"] is not None), None)
    if account["id"] is None:
        named = None
    if named is not None:
        delivery.items.append(_complaint(report, f"{number}/{end}", account, part_of=named))
    updated = identity(report.get("updated_at"))
    if updated is not None:
        delivery.key = f"{document['event']} {number} {updated}"
    if report.get("action_taken") is True:
        verdict = "upheld" if _suspended(report) else None
        delivery.items += [_outcome(report, f"{number}/{name}", target, now, verdict) for name, target in targets]
        if named is not None:
            # what became of the account; that the report was right is told of what it names, and once
            delivery.items.append(_outcome(report, f"{number}/{end}", account, now, None))
        if not _suspended(report):
            delivery.notes.append(
                "the report was closed and the account is not suspended, so the payload does not say whether the report"
                " was right"
            )
    return delivery


def _targets(report: JsonObject) -> list[tuple[str, JsonObject]]:
    """(end of the complaint's id, target) of everything that the report is about: its statuses and collections, or else
    the account.
    """
    author = identity(record(report.get("target_account")).get("id"))
    statuses, collections = _listed(report, "statuses", "status_ids"), _listed(report, "collections", "collection_ids")
    if not statuses and not collections:
        return [_account(report)]
    by_id: dict[str, JsonObject] = {}
    for status in statuses:
        name = identity(status.get("id"))
        is_reply = (
            {"is_reply": identity(status.get("in_reply_to_id")) is not None} if "in_reply_to_id" in status else None
        )
        by_id.setdefault(
            name or "",
            {
                "id": name,
                "kind": "status",
                "author_id": identity(record(status.get("account")).get("id")) or author,
                "url": link(status.get("url")),
                "attributes": is_reply,
            },
        )
    for collection in collections:
        name = identity(collection.get("id"))
        end = f"collection/{name or ''}"
        by_id.setdefault(
            end,
            {
                "id": None if name is None else end,
                "kind": "collection",
                "author_id": identity(collection.get("account_id")) or author,
                "url": link(collection.get("url")),
            },
        )
    return list(by_id.items())


def _account(report: JsonObject) -> tuple[str, JsonObject]:
    """The same of the account. One report has one complaint about it, whether or not it names statuses: those may be
    gone when it is sent again.
    """
    author = identity(record(report.get("target_account")).get("id"))
    return "account", {
        "id": None if author is None else f"account/{author}",
        "kind": "account",
        "author_id": author,
        "url": link(record(record(report.get("target_account")).get("account")).get("url")),
    }


def _listed(report: JsonObject, objects: str, ids: str) -> list[JsonObject]:
    """The objects of a list, or what is known of them by their ids alone."""
    listed = report.get(ids)
    return records(report.get(objects)) or [{"id": value} for value in (listed if isinstance(listed, list) else [])]


def _complaint(report: JsonObject, name: str, target: JsonObject, part_of: str | None = None) -> Item:
    account = record(report.get("account"))
    category = words(report.get("category"), REASON_CHARACTERS)
    return complaint(
        id=name,
        occurred_at=instant(report.get("created_at")),
        reporter={"id": identity(account.get("id")), "account_created_at": instant(account.get("created_at"))},
        target=target,
        reason=category,
        text=words(report.get("comment")),
        notice_type="illegal_content" if category == "legal" else None,
        part_of=part_of,
        machine=_is_server(account),
    )


def _outcome(report: JsonObject, name: str, target: JsonObject, now: datetime, verdict: str | None) -> Item:
    closed = instant(report.get("action_taken_at")) or instant(report.get("updated_at"))
    closed_by = identity(record(report.get("action_taken_by_account")).get("id"))
    stamp = "" if closed is None else f"{closed:%Y%m%dT%H%M%S.%fZ}"
    return outcome(
        id=f"{name}/{stamp}",
        target_id=target["id"],
        decided_at=closed or now,
        verdict=verdict,
        action="removed" if _suspended(report) else "kept",
        decided_by="automatic" if closed_by == INSTANCE_ACTOR else "person",
    )


def _suspended(report: JsonObject) -> bool:
    return record(report.get("target_account")).get("suspended") is True


def _is_server(account: JsonObject) -> bool:
    """Whether the reporter is another server (or this one): accounts of people here have no domain."""
    return account.get("domain") is not None or identity(account.get("id")) == INSTANCE_ACTOR


PLATFORM = Platform(
    name="mastodon",
    words="Mastodon sends signed reports",
    read=lambda document, now, _mapping: read(document, now),
    scheme=lambda _mapping: Hmac("x-hub-signature", prefix="sha256="),
)
