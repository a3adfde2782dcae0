"""Coop's two ways to prove itself: the key that it repeats, and the signature that only it can make."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.platforms.public_keys import credentials, on_one_line
from service.platforms.registry import scheme_of
from service.platforms.signatures import check_secret, fault
from tests.service.platforms.payloads import coop_ignored, encoded, pem_of, signed_by_coop

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COOP = scheme_of("coop")
BODY = encoded(coop_ignored(), pretty=True)
PRIVATE = rsa.generate_private_key(65_537, 2_048)
OTHER = rsa.generate_private_key(65_537, 2_048)
PEM = pem_of(PRIVATE)


@pytest.mark.parametrize(
    "secret",
    [
        PEM,
        f"the API key\n{PEM}",
        on_one_line(f"the API key\r\n{PEM}"),
        "the API key" + PEM.replace("\n", ""),  # what a browser makes of it in a field of one line
    ],
)
def test_a_signature_is_verified_with_the_public_key_in_the_secret(secret: str) -> None:
    signed = signed_by_coop(PRIVATE, BODY)
    check_secret(COOP, secret)
    assert fault(COOP, signed, BODY, (secret,), NOW) is None
    assert fault(COOP, signed, BODY + b" ", (secret,), NOW) == "wrong"
    assert fault(COOP, signed_by_coop(OTHER, BODY), BODY, (secret,), NOW) == "wrong"
    assert fault(COOP, signed, BODY, (pem_of(OTHER),), NOW) == "wrong"
    assert fault(COOP, signed, BODY, (pem_of(OTHER), secret), NOW) is None  # while it is rotated
    for crooked in ("", "*", "AAAA=A"):
        assert fault(COOP, {"coop-signature": crooked}, BODY, (secret,), NOW) == "malformed"
    assert fault(COOP, {"coop-signature": "AAAA"}, BODY, (secret,), NOW) == "wrong"
    assert fault(COOP, {}, BODY, (secret,), NOW) == "missing"


def test_a_wrong_signature_is_not_saved_by_the_right_key() -> None:
    secret = f"key-of-coop {PEM}"
    assert fault(COOP, {"x-api-key": "key-of-coop"}, BODY, (secret,), NOW) is None
    both = {"x-api-key": "key-of-coop", **signed_by_coop(OTHER, BODY)}
    assert fault(COOP, both, BODY, (secret,), NOW) == "wrong"
    assert fault(COOP, {**both, "coop-signature": ""}, BODY, (secret,), NOW) == "malformed"


def test_without_a_public_key_only_the_shared_key_proves_the_sender() -> None:
    signed = signed_by_coop(PRIVATE, BODY)
    assert fault(COOP, {**signed, "x-api-key": "key-of-coop"}, BODY, ("key-of-coop",), NOW) is None
    assert fault(COOP, {**signed, "x-api-key": "another"}, BODY, ("key-of-coop",), NOW) == "wrong"
    assert fault(COOP, signed, BODY, ("key-of-coop",), NOW) == "unverifiable"
    # The public key is public: who repeats it has proved nothing.
    for public in (PEM, on_one_line(PEM), ""):
        assert fault(COOP, {"x-api-key": public}, BODY, (PEM,), NOW) == "missing"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (PEM.replace("PUBLIC", "PRIVATE"), "has to be PEM"),
        (PEM.partition("-----END")[0], "has to be PEM"),
        (PEM + "key-of-coop", "has to be PEM"),
        (PEM.replace("MII", "AAA", 1), "cannot be read"),
        ("-----BEGIN PUBLIC KEY-----A-----END PUBLIC KEY-----", "cannot be read"),
        (pem_of(rsa.generate_private_key(65_537, 1_024)), "RSA key of 2048 to 8192 bits"),
        (
            ec.generate_private_key(ec.SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            "RSA key of 2048",
        ),
    ],
)
def test_a_key_that_cannot_verify_is_refused_when_it_is_set_and_verifies_nothing(secret: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_secret(COOP, secret)
    assert fault(COOP, signed_by_coop(PRIVATE, BODY), BODY, (secret,), NOW) is not None


def test_a_shared_key_beside_the_public_key_has_to_fit_into_a_header() -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        check_secret(COOP, f"Größe {PEM}")


def test_other_secrets_are_left_as_they_are() -> None:
    assert on_one_line("a  b") == "a  b" and credentials("a  b").shared == "a  b"
