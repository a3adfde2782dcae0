"""What Ozone's events and reports are about, as targets. PURE.

An account is its DID, a record its at-URI, a message `message/ID`, a conversation the at-URI that Ozone makes for it
(`at://DID/chat.bsky.convo/ID`, in queryReports and closeReports too). Ozone's list of kinds is open: a subject of a
kind that is not known here is a target of its own under a digest, since a complaint about part of what an account did
is not one about the account.
"""

from __future__ import annotations

import hashlib
import json

from service.model import JsonObject
from service.platforms.listed import name

_RECORD, _ACCOUNT = "com.atproto.repo.strongRef", "com.atproto.admin.defs#repoRef"
_MESSAGE, _CONVERSATION = "chat.bsky.convo.defs#messageRef", "chat.bsky.convo.defs#convoRef"
_KEYS = ((_RECORD, "uri"), (_MESSAGE, "messageId"), (_CONVERSATION, "convoId"), (_ACCOUNT, "did"))
_MESSAGES = "/chat.bsky.convo.message/"  # in the addresses that Ozone's reports have
_DIGEST_CHARACTERS = 32


def target_of(subject: JsonObject) -> JsonObject:
    """The target that an event's subject is. Raises Unreadable."""
    kind = subject.get("$type")
    if kind is None:
        kind = next((known for known, key in _KEYS if key in subject), _ACCOUNT)
    if kind == _RECORD:
        return _record(name(subject.get("uri"), "subject.uri"))
    did = subject.get("did")
    if kind == _ACCOUNT:
        account = name(did, "subject.did")
        return {"id": account, "kind": "account", "author_id": account}
    if kind == _MESSAGE:
        message = name(subject.get("messageId"), "subject.messageId")
        return {"id": f"message/{message}", "kind": "message", "author_id": name(did, "subject.did")}
    if kind == _CONVERSATION:
        account, conversation = name(did, "subject.did"), name(subject.get("convoId"), "subject.convoId")
        return {"id": f"at://{account}/chat.bsky.convo/{conversation}", "kind": "conversation", "author_id": account}
    short = name(kind, "subject.$type").rsplit("#", 1)[-1].rsplit(".", 1)[-1][:64] or "subject"
    whole = json.dumps(subject, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return {"id": f"{short[:32]}/{digest}", "kind": short, "author_id": did if isinstance(did, str) and did else None}


def target_at(address: str) -> str:
    """The target's id for the address that a report's view has of its subject."""
    _, found, message = address.partition(_MESSAGES)
    return f"message/{message}" if found else address


def _record(uri: str) -> JsonObject:
    parts = uri.removeprefix("at://").split("/")
    kind = parts[1].rsplit(".", 1)[-1] if len(parts) > 1 else ""
    return {"id": uri, "kind": kind[:64] or "record", "author_id": parts[0] or None}
