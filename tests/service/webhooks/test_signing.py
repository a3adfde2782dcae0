"""Standard Webhooks' signatures."""

from __future__ import annotations

import base64
import json

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from service.webhooks.signing import body_of, new_secret, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_published_vector_verifies() -> None:
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [SECRET], 1_614_265_330)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_32_random_bytes_in_the_usual_form() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


def test_while_rotating_each_secret_verifies_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    old, new, other = new_secret(), new_secret(), new_secret()
    body = body_of("cluster.flagged", 1_795_000_000_000_000, '{"summary":"ä 😀"}')
    headers = signed_headers("evt_1", body, [new, old], int(datetime.now(UTC).timestamp()))
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers) == {
            "type": "cluster.flagged",
            "timestamp": "2026-11-18T11:06:40Z",
            "data": {"summary": "ä 😀"},
        }
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body.replace(b"flagged", b"revoked"), headers)


def test_the_body_is_json_of_the_three_fields_and_the_same_each_time() -> None:
    made = body_of("target.hold", 1_795_000_000_123_456, '{"target_id":"</script>\\u0000"}')
    assert made == body_of("target.hold", 1_795_000_000_123_456, '{"target_id":"</script>\\u0000"}')
    assert json.loads(made) == {
        "type": "target.hold",
        "timestamp": "2026-11-18T11:06:40.123456Z",
        "data": {"target_id": "</script>\0"},
    }
