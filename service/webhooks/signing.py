"""Signatures of Standard Webhooks (https://www.standardwebhooks.com), by which a receiver verifies a delivery."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from service.model import moment

SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"  # noqa: S105  (the prefix of every such secret)


def new_secret() -> str:
    """A fresh signing secret, as the receiver configures it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def body_of(kind: str, at_us: int, data_json: str) -> bytes:
    """The bytes of an event, the same ones at each attempt: {"type", "timestamp", "data"}."""
    at = moment(at_us).isoformat().replace("+00:00", "Z")
    return f'{{"type":{json.dumps(kind)},"timestamp":"{at}","data":{data_json}}}'.encode()


def signed_headers(event_id: str, body: bytes, signing_secrets: Sequence[str], at_seconds: int) -> dict[str, str]:
    """The three headers of a delivery: the event's id, the time of the attempt, and a signature for each secret.

    `at_seconds` is unix time. While a secret is rotated there are two, and a receiver needs only one of them.
    """
    at = datetime.fromtimestamp(at_seconds, UTC)
    signatures = [Webhook(secret).sign(event_id, at, body.decode()) for secret in signing_secrets]
    return {"webhook-id": event_id, "webhook-timestamp": str(at_seconds), "webhook-signature": " ".join(signatures)}
