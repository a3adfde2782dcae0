"""Payloads in the shape in which the platforms send them, made up here; and their signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

STANDARD_SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of make-believe").decode()


def score(number: int, user: int, at: str, kind: str = "spam", **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "score": 2.0,
        "agree_stats": {"agreed": 1, "disagreed": 0, "ignored": 0},
        "reason": None,
        "created_at": at,
        "reviewed_at": None,
        "status": 0,
        "user": {"id": user, "username": f"u{user}", "avatar_template": "/a.png"},
        "score_type": {"id": 8, "type": kind, "title": kind.title()},
        "reviewed_by": None,
        **fields,
    }


def discourse(*scores: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A reviewable event; by default a flagged post with the given scores, still pending.

    Fields as in discourse/discourse's main branch of 2026 (ReviewableSerializer, ReviewableScoreSerializer), with the
    scores inside as a plugin may put them; Discourse's own webhooks have `reviewable_score_ids` alone.
    """
    body: dict[str, Any] = {
        "id": 41,
        "type": "ReviewableFlaggedPost",
        "status": 0,
        "topic_id": 77,
        "topic_url": "https://forum.example/t/bread/77",
        "target_url": "https://forum.example/t/bread/77/9",
        "topic_tags": [],
        "category_id": 2,
        "created_at": "2024-05-03T10:00:00.000Z",
        "can_edit": False,
        "score": 4.0,
        "version": 0,
        "target_created_by_trust_level": 2,
        "cooked": "<p>Rye is no bread.</p>",
        "raw": "Rye is no bread.",
        "post_version": 1,
        "post_id": 9001,
        "created_by_id": 501,
        "target_created_by": {"id": 600, "username": "baker"},
        "reviewable_score_ids": [s["id"] for s in scores],
        "reviewable_scores": list(scores),
        **fields,
    }
    return {"reviewable": {name: value for name, value in body.items() if value is not ...}}


def account(number: str, *, domain: str | None = None, **fields: Any) -> dict[str, Any]:
    """What Mastodon tells administrators about an account, addresses included (REST::Admin::AccountSerializer)."""
    return {
        "id": number,
        "username": f"name{number}",
        "domain": domain,
        "created_at": "2023-02-01T08:00:00.000Z",
        "email": f"name{number}@mail.example",
        "ip": "198.51.100.7",
        "confirmed": True,
        "suspended": False,
        "silenced": False,
        "sensitized": False,
        "disabled": False,
        "approved": True,
        "locale": "de",
        "invite_request": "let me in, please",
        "ips": [
            {"ip": "203.0.113.9", "used_at": "2023-02-01T08:00:01.000Z"},
            {"ip": "2001:db8::17", "used_at": "2023-02-02T08:00:01.000Z"},
        ],
        "account": {"id": number, "acct": f"name{number}", "note": "", "url": f"https://social.example/@name{number}"},
        "role": None,
        **fields,
    }


def status(number: str, author: str = "7001", **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "created_at": "2024-05-03T09:00:00.000Z",
        "in_reply_to_id": None,
        "edited_at": None,
        "url": f"https://social.example/@x/{number}",
        "content": "<p>words that were edited</p>",
        "account": {"id": author, "acct": "x"},
        "mentions": [{"id": "1", "acct": "third@mail.example"}],
        **fields,
    }


def mastodon(*statuses: dict[str, Any], event: str = "report.created", **fields: Any) -> dict[str, Any]:
    """An event about a report, as of Mastodon's main branch after 4.6 (REST::Admin::ReportSerializer)."""
    report = {
        "id": "310",
        "action_taken": False,
        "action_taken_at": None,
        "category": "violation",
        "comment": "insults in every line",
        "forwarded": False,
        "created_at": "2024-05-03T10:00:00.123Z",
        "updated_at": "2024-05-03T10:00:00.123Z",
        "account": account("4001"),
        "target_account": account("7001"),
        "assigned_account": None,
        "action_taken_by_account": None,
        "statuses": list(statuses),
        "rules": [{"id": "3", "text": "Be kind"}],
        **fields,
    }
    return {"event": event, "created_at": report["updated_at"], "object": report}


def coral(kind: str = "COMMENT_ENTERED_MODERATION_QUEUE", **data: Any) -> dict[str, Any]:
    return {
        "id": "3f2a6c1e-0000-4000-8000-00000000aa01",
        "type": kind,
        "data": {
            "queue": "REPORTED",
            "commentID": "comment-17",
            "status": "NONE",
            "storyID": "story-2",
            "siteID": "site-1",
            **data,
        },
        "tenantID": "t1",
        "tenantDomain": "talk.example",
        "createdAt": "2024-05-03T10:00:00.000Z",
    }


def coop(**fields: Any) -> dict[str, Any]:
    """A report request (roostorg/coop@1c1f54d, docs/api/report.md)."""
    return {
        "reporter": {"kind": "user", "typeId": "account", "id": "u-12"},
        "reportedAt": "2024-05-03T10:00:00.000Z",
        "reportedForReason": {"policyId": "harassment", "reason": "he calls me names", "csam": False},
        "reportedItem": {
            "id": "m-88",
            "typeId": "message",
            "data": {"text": "…", "sender_email": "sender@mail.example"},
        },
        "reportedItemThread": [{"id": "m-87", "typeId": "message", "data": {"text": "a@mail.example"}}],
        "reportedItemsInThread": [],
        "additionalItems": [],
        **fields,
    }


def coop_ignored(**fields: Any) -> dict[str, Any]:
    """What Coop posts to the Ignore callback (roostorg/coop@1c1f54d, server/iocContainer/index.ts)."""
    return {"id": "m-88", "typeId": "message", "data": {"text": "…", "sender_email": "sender@mail.example"}, **fields}


def signed_by_coop(key: RSAPrivateKey, body: bytes) -> dict[str, str]:
    """Coop's signature (roostorg/coop@1c1f54d, server/services/networkingService): base64, over the raw body."""
    return {"coop-signature": base64.b64encode(key.sign(body, PKCS1v15(), SHA256())).decode()}


def pem_of(key: RSAPrivateKey) -> str:
    """The public key as Coop's settings show it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def encoded(document: Any, *, pretty: bool = False) -> bytes:
    return json.dumps(document, indent=2 if pretty else None, ensure_ascii=False).encode()


def hexdigest(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard(secret: str, event: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"{event}.{seconds}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": event, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}


def svix(signed: dict[str, str]) -> dict[str, str]:
    """The same three headers as Svix sends them (svix/svix-webhooks 1.x)."""
    return {name.replace("webhook-", "svix-"): value for name, value in signed.items()}


def headers(platform: str, secret: str, body: bytes) -> dict[str, str]:
    """The signature as the platform sends it."""
    digest = hexdigest(secret, body)
    return {
        "discourse": {
            "x-discourse-event-signature": f"sha256={digest}",
            "x-discourse-event-id": "17",
            "x-discourse-event-type": "reviewable",
            "x-discourse-event": "reviewable_created",
        },
        "mastodon": {"x-hub-signature": f"sha256={digest}"},
        "coral": {
            "x-coral-signature": f"sha256={'0' * 64},sha256={digest}",
            "x-coral-event": "COMMENT_ENTERED_MODERATION_QUEUE",
        },
        "coop": {"x-api-key": secret},
    }[platform]
