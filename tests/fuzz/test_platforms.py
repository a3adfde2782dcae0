"""What platforms post, sign and answer: read, refused in our own words, and proved by nobody who has not got the
secret.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from standardwebhooks import Webhook

from service.intake.items import parsed
from service.intake.privacy_filter import PrivacyFilter
from service.platforms import registry
from service.platforms.coral import Coral
from service.platforms.field_map import BadMapping, read_mapping
from service.platforms.generic import read as read_generic
from service.platforms.lemmy import Lemmy
from service.platforms.ozone import Ozone
from service.platforms.payload import Unusable
from service.platforms.poll_protocol import Poller, Unexpected
from service.platforms.signatures import BEARER, Hmac, Scheme, Shared, SharedOrSigned, Standard, fault
from tests.fuzz.cases import TEXTS, cases, json_values
from tests.service.platforms.test_any_json import CASES as PAYLOADS
from tests.service.platforms.test_any_json import replaced, survives
from tests.service.platforms.test_lists import JSON, NAMES

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
SIGNED_POSTS = [registry.scheme_of(name) for name in registry.POSTING if name != "generic"]
SCHEMES: list[Scheme] = [
    *SIGNED_POSTS,
    Standard(),
    BEARER,
    *(
        Hmac("x-sig", algorithm, encoding, "v=", ",")
        for algorithm in ("sha256", "sha384", "sha512")
        for encoding in ("hex", "base64")
    ),  # type: ignore[arg-type]
]
HEADERS = (
    "x-sig",
    "authorization",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "svix-id",
    "svix-timestamp",
    "svix-signature",
    *(scheme.signature_header for scheme in SIGNED_POSTS if isinstance(scheme, SharedOrSigned)),
    *(getattr(scheme, "header", "") for scheme in SIGNED_POSTS),
)
LATIN = st.text(st.characters(max_codepoint=255), max_size=60)  # what a header can hold
FIELD_NAMES = st.sampled_from(
    [
        "id",
        "occurred_at",
        "reporter.id",
        "target.id",
        "target.attributes.x",
        "reason",
        "text",
        "machine",
        "target_id",
        "decided_at",
        "verdict",
        "action",
        "nonsense",
    ]
)
JSON_PATHS = st.sampled_from(
    [
        "$",
        "$.id",
        "$.a.b",
        "$['x']",
        "$[0]",
        "$[-1]",
        "$..id",
        "$.*",
        "$[?@.a]",
        "$[?match(@.a,'(a+)+$')]",
        "$[0:9:2]",
        "$.",
        "x",
        "",
        "$" + ".a" * 99,
        "$[" * 60,
    ]
) | st.text(max_size=20)
PLACES = st.recursive(
    JSON_PATHS | st.booleans() | st.integers() | st.none(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "path": JSON_PATHS | inner,
            "map": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3) | inner,
            "default": inner,
            "prefix": TEXTS,
            "as": st.sampled_from(["unix", "unix_ms", "unix_us", "x", ["unix"]]),
            "earliest": st.sampled_from([1970, 0, "x"]),
            "from": st.sampled_from(["document", "x"]),
            "in": st.lists(TEXTS, max_size=3),
        },
    ),
    max_leaves=4,
)
SECTIONS = (
    st.fixed_dictionaries({"fields": st.dictionaries(FIELD_NAMES, PLACES, max_size=8)}, optional={"when": PLACES})
    | PLACES
)
MAPPINGS = (
    st.fixed_dictionaries(
        {},
        optional={
            "signature": json_values(
                st.sampled_from(["scheme", "header", "prefix", "algorithm", "encoding", "separator"])
            ),
            "items": JSON_PATHS,
            "complaint": SECTIONS,
            "outcome": SECTIONS,
            "other": st.none(),
        },
    )
    | json_values()
)
GOOD_MAPPINGS = st.builds(
    lambda fields: {
        "complaint": {
            "fields": {"id": "$.id", "occurred_at": "$.at", "reporter.id": "$.by", "target.id": "$.post", **fields}
        }
    },
    st.dictionaries(
        FIELD_NAMES.filter(lambda name: name not in ("target_id", "decided_at", "verdict", "action", "nonsense")),
        PLACES,
        max_size=4,
    ),
)


@cases(
    platform=st.sampled_from(registry.POSTING),
    body=st.binary(max_size=200) | json_values().map(lambda value: json.dumps(value).encode()),
)
def test_any_body_is_read_or_refused(platform: str, body: bytes) -> None:
    try:
        document = parsed(body)
    except ValueError:
        return
    survives(platform, document)


@cases(
    case=st.sampled_from(PAYLOADS), values=st.lists(json_values(), min_size=1, max_size=4), seed=st.integers(0, 2**32)
)
def test_any_mutated_payload_is_read_or_refused(case: tuple[str, Any], values: list[Any], seed: int) -> None:
    platform, document = case
    rng = random.Random(seed)
    for value in values:
        document = replaced(document, value, rng)
    survives(platform, document)


@cases(
    platform=st.sampled_from([Coral(), Lemmy(), Ozone()]),
    answer=JSON | json_values(NAMES),
    cursor=st.dictionaries(NAMES | st.just("walks"), JSON, max_size=3),
)
def test_any_answer_of_a_polled_platform_is_read_or_reported_as_unexpected(
    platform: Poller, answer: Any, cursor: Any
) -> None:
    ask = platform.ask(cursor, NOW)
    if ask is not None:
        with contextlib.suppress(Unexpected):
            json.dumps(platform.read(cursor, ask, answer, NOW).cursor)


@cases(
    mapping=MAPPINGS | GOOD_MAPPINGS,
    document=json_values(st.sampled_from(["id", "at", "by", "post", "a", "b", "events"])),
)
def test_any_mapping_is_refused_with_a_reason_or_reads_any_document(mapping: Any, document: Any) -> None:
    try:
        fields = read_mapping(mapping)
    except BadMapping as error:
        assert len(str(error)) < 2_000
        return
    try:
        delivery = read_generic(document, fields)
    except Unusable:
        return
    for item in delivery.items:
        item.read(NOW, PrivacyFilter())


@cases(
    scheme=st.sampled_from(SCHEMES),
    headers=st.dictionaries(
        st.sampled_from(HEADERS),
        LATIN
        | st.sampled_from(["sha256=", "sha256=" + "0" * 64, "v1,", "v1," + "A" * 44, "Bearer ", "1" * 11, "9" * 400]),
        max_size=6,
    ),
    body=st.binary(max_size=60),
)
def test_random_requests_never_authenticate(scheme: Scheme, headers: dict[str, str], body: bytes) -> None:
    assert fault(scheme, headers, body, (SECRET, "another" + SECRET), NOW) is not None


@cases(
    scheme=st.sampled_from(SCHEMES),
    body=st.binary(max_size=200),
    place=st.integers(0, 10**6),
    flip=st.integers(1, 255),
    old=st.booleans(),
)
def test_a_signed_body_passes_and_a_changed_byte_does_not(
    scheme: Scheme, body: bytes, place: int, flip: int, old: bool
) -> None:
    if isinstance(scheme, Standard):
        body = body.decode("utf-8", "replace").encode()
    headers = signed(scheme, body)
    valid = ("whsec_" + base64.b64encode(b"n" * 32).decode(), SECRET) if old else (SECRET,)
    assert fault(scheme, headers, body, valid, NOW) is None
    assert fault(scheme, headers, body, ("whsec_" + base64.b64encode(b"n" * 32).decode(),), NOW) == "wrong"
    if body and not isinstance(scheme, (Shared, SharedOrSigned)):
        changed = bytearray(body)
        changed[place % len(body)] ^= flip
        assert fault(scheme, headers, bytes(changed), valid, NOW) in ("wrong", "malformed")
    if isinstance(scheme, Standard):
        assert fault(scheme, headers, body, valid, NOW + timedelta(seconds=301)) == "stale"


def signed(scheme: Scheme, body: bytes) -> dict[str, str]:
    """The headers of an honest sender."""
    if isinstance(scheme, Standard):
        return {
            "webhook-id": "evt_1",
            "webhook-timestamp": str(int(NOW.timestamp())),
            "webhook-signature": Webhook(SECRET).sign("evt_1", NOW, body.decode()),
        }
    if isinstance(scheme, SharedOrSigned):
        return {scheme.header: SECRET}
    if isinstance(scheme, Shared):
        return {scheme.header: scheme.prefix + SECRET}
    digest = hmac.digest(SECRET.encode(), body, getattr(hashlib, scheme.algorithm))
    return {
        scheme.header: scheme.prefix + (digest.hex() if scheme.encoding == "hex" else base64.b64encode(digest).decode())
    }
