"""Native signatures: the public vectors, forgeries of every kind, rotation, staleness."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.platforms.registry import scheme_of
from service.platforms.signatures import BEARER, Hmac, Scheme, Shared, Standard, check_secret, fault
from tests.service.platforms.payloads import STANDARD_SECRET, headers, hexdigest, standard, svix

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
BODY = b'{\n  "pretty": true,\n  "caf\xc3\xa9": 1.0\n}'
PLATFORMS = ("discourse", "mastodon", "coral", "coop")


def test_the_public_vector_of_discourse_verifies() -> None:
    given_headers = {
        "x-discourse-event-signature": "sha256=162f107f6b5022353274eb1a7197885cfd35744d8d08e5bcea025d309386b7d6"
    }
    scheme = scheme_of("discourse")
    assert fault(scheme, given_headers, b'{"ping":"OK"}', ("my_lovely_secret_for_web_hook",), NOW) is None
    assert fault(scheme, given_headers, b'{"ping": "OK"}', ("my_lovely_secret_for_web_hook",), NOW) == "wrong"


def test_the_public_vector_of_standard_webhooks_verifies_at_its_time() -> None:
    vector = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret, body = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",), b'{"test": 2432232314}'
    then = datetime.fromtimestamp(1614265330, UTC)
    check_secret(Standard(), secret[0])
    assert fault(Standard(), vector, body, secret, then + timedelta(minutes=5)) is None
    assert fault(Standard(), vector, body, secret, then - timedelta(minutes=5)) is None
    assert fault(Standard(), vector, body, secret, then + timedelta(minutes=5, seconds=1)) == "stale"
    assert fault(Standard(), vector, body, secret, then - timedelta(minutes=5, seconds=1)) == "stale"
    for name, other in (("webhook-id", "msg_other"), ("webhook-timestamp", "1614265331")):
        assert fault(Standard(), {**vector, name: other}, body, secret, then) == "wrong"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platforms_own_signature_verifies_and_fails_closed(platform: str) -> None:
    scheme = scheme_of(platform)
    signed = headers(platform, "secret of the house", BODY)
    assert fault(scheme, signed, BODY, ("secret of the house",), NOW) is None
    assert fault(scheme, signed, BODY, ("another secret",), NOW) == "wrong"
    assert fault(scheme, {}, BODY, ("secret of the house",), NOW) == "missing"
    if platform != "coop":  # a key proves who, not what
        assert fault(scheme, signed, BODY + b" ", ("secret of the house",), NOW) == "wrong"
        name = scheme.header  # type: ignore[union-attr]
        for broken in (
            "",
            "sha256=",
            "sha256=zz",
            "sha1=" + "0" * 40,
            hexdigest("secret of the house", BODY),
            "sha256=" + "é" * 64,
            "sha256=" + hexdigest("secret of the house", BODY)[:-2],
        ):
            assert fault(scheme, {name: broken}, BODY, ("secret of the house",), NOW) in ("malformed", "wrong")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_while_rotating_both_secrets_verify(platform: str) -> None:
    for used in ("new", "old"):
        assert fault(scheme_of(platform), headers(platform, used, BODY), BODY, ("new", "old"), NOW) is None
    assert fault(scheme_of(platform), headers(platform, "older", BODY), BODY, ("new", "old"), NOW) == "wrong"


def test_without_a_secret_only_what_bears_no_signature_passes() -> None:
    scheme = scheme_of("discourse")
    assert fault(scheme, {}, BODY, (), NOW) is None
    assert fault(scheme, headers("discourse", "any", BODY), BODY, (), NOW) == "unverifiable"


def test_coral_may_send_a_list_but_no_endless_one() -> None:
    scheme = scheme_of("coral")
    right = f"sha256={hexdigest('s', BODY)}"
    wrong = f"sha256={'0' * 64}"
    assert fault(scheme, {"x-coral-signature": f"{wrong}, {right}"}, BODY, ("s",), NOW) is None
    assert fault(scheme, {"x-coral-signature": ",".join([wrong] * 10 + [right])}, BODY, ("s",), NOW) == "wrong"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-signature": "v2,AAAA"}, "malformed"),
        ({"webhook-signature": "v1,****"}, "malformed"),
        ({"webhook-signature": ""}, "malformed"),
        ({"webhook-timestamp": "now"}, "malformed"),
        ({"webhook-timestamp": "-1"}, "malformed"),
        ({"webhook-timestamp": "9" * 12}, "malformed"),
        ({"webhook-timestamp": "9" * 11}, "wrong"),
        ({"webhook-id": ""}, "malformed"),
        ({"webhook-id": "a b"}, "malformed"),
        ({"webhook-signature": "v1,AAAA v1a,BBBB"}, "wrong"),
    ],
)
def test_a_crooked_standard_signature_is_refused(change: dict[str, str], why: str) -> None:
    assert (
        fault(
            Standard(), {**standard(STANDARD_SECRET, "msg_1", SECONDS, BODY), **change}, BODY, (STANDARD_SECRET,), NOW
        )
        == why
    )


def test_a_standard_signature_may_stand_in_a_list() -> None:
    signed = standard(STANDARD_SECRET, "msg_1", SECONDS, BODY)
    signed["webhook-signature"] = f"v1,{base64.b64encode(b'0' * 32).decode()} {signed['webhook-signature']}"
    assert fault(Standard(), signed, BODY, (STANDARD_SECRET,), NOW) is None
    assert (
        fault(Standard(), standard(STANDARD_SECRET, "msg_1", SECONDS, b"\xff"), b"\xff", (STANDARD_SECRET,), NOW)
        == "malformed"
    )


def test_the_headers_of_svix_are_the_same_three() -> None:
    signed = standard(STANDARD_SECRET, "msg_1", SECONDS, BODY)
    secrets = (STANDARD_SECRET,)
    assert fault(Standard(), svix(signed), BODY, secrets, NOW) is None
    assert fault(Standard(), {**signed, **svix(signed)}, BODY, secrets, NOW) is None
    assert fault(Standard(), svix(signed), BODY + b" ", secrets, NOW) == "wrong"
    late = standard(STANDARD_SECRET, "msg_1", SECONDS - 301, BODY)
    assert fault(Standard(), svix(late), BODY, secrets, NOW) == "stale"
    for name in signed:
        part = {key: value for key, value in svix(signed).items() if key != svix({name: ""}).popitem()[0]}
        assert fault(Standard(), part, BODY, secrets, NOW) == "missing"
        assert fault(Standard(), {**svix(signed), name: f"{signed[name]}0"}, BODY, secrets, NOW) == "malformed"
        assert fault(Standard(), {**signed, **svix({name: f"{signed[name]}0"})}, BODY, secrets, NOW) == "malformed"
    assert fault(Standard(), {**svix(signed)}, BODY, (), NOW) == "unverifiable"


@pytest.mark.parametrize(
    ("scheme", "secret", "fits"),
    [
        (Standard(), STANDARD_SECRET, True),
        (Standard(), "whsec_" + base64.b64encode(b"x" * 23).decode(), False),
        (Standard(), "whsec_" + base64.b64encode(b"x" * 65).decode(), False),
        (Standard(), "plain", False),
        (Standard(), "whsec_not base64", False),
        (BEARER, "Größe", False),
        (BEARER, "token", True),
        (Hmac("x"), "Größe", True),
    ],
)
def test_a_secret_that_the_scheme_cannot_use_is_refused_when_it_is_set(scheme: Scheme, secret: str, fits: bool) -> None:
    if fits:
        check_secret(scheme, secret)
    else:
        with pytest.raises(ValueError, match=r"secret|base64"):
            check_secret(scheme, secret)


def test_a_shared_secret_stands_behind_its_prefix() -> None:
    assert fault(BEARER, {"authorization": "bearer token"}, BODY, ("token",), NOW) is None
    assert fault(BEARER, {"authorization": "Basic token"}, BODY, ("token",), NOW) == "malformed"
    assert fault(Shared("x-key"), {"x-key": "tokem"}, BODY, ("token",), NOW) == "wrong"


@given(
    value=st.text(max_size=200),
    body=st.binary(max_size=64),
    platform=st.sampled_from([*PLATFORMS, "standard", "base64"]),
)
def test_no_header_breaks_a_check_and_none_passes_by_chance(value: str, body: bytes, platform: str) -> None:
    schemes: dict[str, Any] = {
        **{name: scheme_of(name) for name in PLATFORMS},
        "standard": Standard(),
        "base64": Hmac("x-s", "sha512", "base64", "", " "),
    }
    scheme = schemes[platform]
    names = ("webhook-id", "webhook-timestamp", "webhook-signature") if platform == "standard" else (scheme.header,)
    assert fault(scheme, dict.fromkeys(names, value), body, (STANDARD_SECRET,), NOW) is not None
