"""Single sign-on with a provider that lies, is slow, or is down; and names that belong to somebody else."""

from __future__ import annotations

import base64
import hmac
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
import sqlalchemy as sa
from conftest import Api
from console_world import Visitor, put_user, sign_in
from identity_provider import LyingProvider, lying_provider
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sso_world import arrive, begin, use_provider

from service.console.device_cookie import name_for
from service.console.hashing import TooBusy
from service.console.oidc_sign_in import ProviderTurns
from service.outbound.client import outbound_client
from service.single_sign_on import provider
from service.single_sign_on.failures import ProviderUnreachable
from service.storage.accounts import users
from service.storage.accounts.sessions import MOST_SESSIONS
from service.storage.sql import deadlines, schema
from service.storage.sql.deadlines import Deadline
from service.storage.sql.engine import write


def attempt(api: Api, liar: LyingProvider, **more: str) -> tuple[int, str]:
    """One sign-in of a new browser: status and page."""
    visitor = Visitor(api)
    answer = arrive(visitor, liar.come_back(begin(visitor), **more))
    signed_in = visitor.get("/console/clusters").status_code == 200
    assert signed_in == (answer.status_code == 303), "a session exactly when the answer says so"
    return answer.status_code, answer.text


def test_the_honest_answer_is_accepted(api: Api, liar: LyingProvider) -> None:
    assert attempt(api, liar) == (303, "")


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://elsewhere.example"}, "the settings name"),
        ({"aud": "another-client"}, "it is for &#39;another-client&#39;"),
        ({"aud": ["brigadewatch", "another"], "azp": "another"}, "azp"),
        ({"aud": ["brigadewatch", "another"]}, "azp"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": int(time.time()) - 120}, "exp"),
        ({"exp": None}, "exp"),
        ({"iat": int(time.time()) + 3_600}, "in the future"),
        ({"iat": int(time.time()) - 3_600, "exp": int(time.time()) + 3_600}, "iat"),
        ({"iat": None}, "iat"),
        ({"nbf": int(time.time()) + 3_600}, "not yet valid"),
        ({"iat": "now"}, "iat"),
        ({"sub": None}, "sub"),
        ({"sub": "s" * 256}, "sub"),
        ({"preferred_username": None}, "preferred_username"),
        ({"at_hash": "wrong"}, "at_hash"),
    ],
)
def test_an_id_token_for_somebody_or_some_time_else_is_refused(
    api: Api, liar: LyingProvider, claims: dict[str, Any], said: str
) -> None:
    liar.claims = claims
    status, text = attempt(api, liar)
    assert status == 502 and said in text, text


def test_clocks_may_be_a_minute_apart_and_no_more(api: Api, liar: LyingProvider) -> None:
    liar.claims = {"iat": int(time.time()) + 45}
    assert attempt(api, liar)[0] == 303
    now = int(time.time())
    liar.claims = {"exp": now - 20, "iat": now - 320}
    assert attempt(api, liar)[0] == 303
    liar.claims = {"iat": int(time.time()) + 110}
    assert attempt(api, liar)[0] == 502


def _unsigned(liar: LyingProvider) -> None:
    body = liar.signed().split(".")[1]
    liar.id_token = f"eyJhbGciOiJub25lIn0.{body}."


def _client_secret(liar: LyingProvider) -> None:
    liar.header, liar.signed_with = {"alg": "HS256"}, OctKey.import_key("brigadewatch" * 3)


def _public_key_as_secret(liar: LyingProvider) -> None:
    """By hand: the library that signs refuses it, as the one that verifies has to."""
    body, secret = liar.signed().split(".")[1], liar.key.as_pem(private=False)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    seal = base64.urlsafe_b64encode(hmac.digest(secret, f"{head}.{body}".encode(), "sha256")).rstrip(b"=").decode()
    liar.id_token = f"{head}.{body}.{seal}"
    oct_key = {"kty": "oct", "k": base64.urlsafe_b64encode(secret).rstrip(b"=").decode(), "kid": "one"}
    liar.published = [oct_key, liar.key.as_dict(private=False)]


def _own_key_in_header(liar: LyingProvider) -> None:
    liar.signed_with = RSAKey.generate_key(2048)
    liar.header = {"jwk": liar.signed_with.as_dict(private=False)}


def _other_key_same_name(liar: LyingProvider) -> None:
    liar.signed_with = RSAKey.generate_key(2048, {"kid": "one"})


def _cut(liar: LyingProvider) -> None:
    liar.id_token = liar.signed()[:-6]


def _huge(liar: LyingProvider) -> None:
    liar.claims = {"filler": "x" * 40_000}


@pytest.mark.parametrize(
    "spoil",
    [_unsigned, _client_secret, _public_key_as_secret, _own_key_in_header, _other_key_same_name, _cut, _huge],
)
def test_a_signature_that_anybody_could_make_is_refused(
    api: Api, liar: LyingProvider, spoil: Callable[[LyingProvider], None]
) -> None:
    visitor = Visitor(api)
    back = liar.come_back(begin(visitor))
    spoil(liar)
    answer = arrive(visitor, back)
    assert (answer.status_code == 502 and "signed" in answer.text) or "longer" in answer.text, answer.text
    assert visitor.get("/console/clusters").status_code == 303


def test_new_keys_are_fetched_when_a_token_names_one_and_not_more_often_than_every_30_seconds(
    api: Api, liar: LyingProvider
) -> None:
    def asked_for_keys() -> int:
        return sum(asked.path == "/jwks" for asked in liar.receiver.asked)

    at = [0.0]
    api.app.state.providers._monotonic = lambda: at[0]
    assert attempt(api, liar)[0] == 303 and asked_for_keys() == 1
    liar.key = RSAKey.generate_key(2048, {"kid": "two"})
    at[0] += 20
    assert attempt(api, liar)[0] == 502 and asked_for_keys() == 1
    at[0] += 11
    assert attempt(api, liar)[0] == 303 and asked_for_keys() == 2
    liar.key = RSAKey.generate_key(2048, {"kid": "three"})
    liar.published = [RSAKey.generate_key(2048, {"kid": "two"}).as_dict(private=False)]
    for _ in range(3):
        assert attempt(api, liar)[0] == 502
    assert asked_for_keys() == 2


def test_an_answer_of_another_provider_is_not_redeemed_at_this_one(api: Api, liar: LyingProvider) -> None:
    assert attempt(api, liar, iss="https://elsewhere.example")[0] == 502
    assert not [asked for asked in liar.receiver.asked if asked.path == "/token"]
    liar.metadata = {"authorization_response_iss_parameter_supported": True}
    use_provider(api, liar.issuer, liar.receiver.opening)
    assert attempt(api, liar)[0] == 502, "left out, where the provider promises it"
    assert attempt(api, liar, iss=liar.issuer)[0] == 303


def test_an_answer_for_one_tenant_does_not_open_another(api: Api, liar: LyingProvider) -> None:
    with lying_provider() as other:
        use_provider(api, other.issuer, other.receiver.opening, tenant="sport", roles="moderators = admin")
        visitor = Visitor(api)
        back = other.come_back(begin(visitor, "sport"))
        assert "/callback/sport?" in back
        assert arrive(visitor, back.replace("/callback/sport", "/callback/default")).status_code == 400
        back = other.come_back(begin(visitor, "sport"))
        assert arrive(visitor, back.replace("/callback/sport", "/callback")).status_code == 400
        assert visitor.get("/console/clusters").status_code == 303


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"issuer": "https://elsewhere.example"}, "calls itself"),
        ({"token_endpoint": "http://elsewhere.example/token"}, "is not an address with https://"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "is not an address with https://"),
        ({"jwks_uri": None}, "lacks jwks_uri"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE with S256"),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, "a signature with one of"),
    ],
)
def test_metadata_that_would_lead_astray_is_refused(
    api: Api, liar: LyingProvider, changed: dict[str, Any], said: str
) -> None:
    liar.metadata = changed
    answer = Visitor(api).get("/console/sign-in/sso?tenant=default")
    assert answer.status_code == 502 and said in answer.text


def test_a_provider_that_is_down_gives_a_clear_page_and_admins_have_their_password(
    api: Api, liar: LyingProvider
) -> None:
    liar.down = True
    put_user(api, "keeper", role="admin")
    root = Visitor(api)
    answer = root.get("/console/sign-in/sso?tenant=default")
    assert answer.status_code == 502 and "did not work" in answer.text
    assert liar.issuer not in answer.text, "an internal address is nobody's business"
    asked = len(liar.receiver.asked)
    root.get("/console/sign-in/sso?tenant=default")
    assert len(liar.receiver.asked) == asked, "not asked again within seconds"
    assert root.sign_in("default", "keeper").status_code == 303


def test_a_provider_that_hangs_is_waited_for_within_the_time_of_the_request(
    api: Api, liar: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, waits = threading.Event(), list[float]()
    liar.receiver.answer = lambda asked: (over.wait(), liar.answer(asked))[1]

    def noted(*arguments: Any, timeout_seconds: float, **named: Any) -> Any:
        waits.append(timeout_seconds)
        return outbound_client(*arguments, timeout_seconds=timeout_seconds, **named)

    monkeypatch.setattr(provider, "outbound_client", noted)
    try:
        with deadlines.applying(Deadline(1.0)), pytest.raises(ProviderUnreachable, match="does not answer"):
            api.app.state.providers.metadata(liar.issuer)
    finally:
        over.set()
    assert len(waits) == 1 and 0 < waits[0] <= 0.75, "some time is left for an answer"


def test_who_waits_for_a_turn_at_the_provider_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    go, waits, fail_after = threading.Event(), list[float](), anyio.fail_after

    def noted(seconds: float) -> Any:
        waits.append(seconds)
        return fail_after(seconds)

    async def run() -> None:
        turns = ProviderTurns()
        async with anyio.create_task_group() as group:
            try:
                for _ in range(8):
                    group.start_soon(turns.run, go.wait)
                await anyio.wait_all_tasks_blocked()
                monkeypatch.setattr(anyio, "fail_after", noted)
                with deadlines.applying(Deadline(1.0)), pytest.raises(TooBusy):
                    await turns.run(lambda: None)
            finally:
                go.set()
        assert await turns.run(lambda: "free again") == "free again"

    anyio.run(run)
    assert 0 < waits[0] <= 0.25


def test_a_session_of_a_provider_is_listed_and_bounded_and_its_browser_known(api: Api, liar: LyingProvider) -> None:
    first = Visitor(api)
    assert arrive(first, liar.come_back(begin(first))).status_code == 303
    assert name_for("default", "anna") in first.cookies
    assert ">single sign-on</td>" in first.get("/console/sessions").text
    for _ in range(MOST_SESSIONS):
        assert attempt(api, liar)[0] == 303
    assert first.get("/console/clusters").status_code == 303, "the one not used for the longest time has ended"


def test_an_address_inside_is_reached_only_with_the_operators_consent(api: Api, liar: LyingProvider) -> None:
    from sso_world import allow_outbound

    allow_outbound(api)
    assert Visitor(api).get("/console/sign-in/sso?tenant=default").status_code == 502
    assert liar.receiver.asked == []


def test_nobody_gets_an_existing_account_by_a_name_or_an_unverified_address(api: Api, liar: LyingProvider) -> None:
    put_user(api, "keeper", role="admin")
    put_user(api, "boss@example.org", role="admin")
    own = {"preferred_username": "boss@example.org", "email": "boss@example.org"}
    liar.claims = own
    status, text = attempt(api, liar)
    assert status == 403 and "already exists here" in text
    use_provider(api, liar.issuer, liar.receiver.opening, link_by_email=True)
    for verified in (None, False, "true", 1):
        liar.claims = {**own, "email_verified": verified}
        assert attempt(api, liar)[0] == 403, verified
    liar.claims = {**own, "email_verified": True, "email": "other@example.org"}
    assert attempt(api, liar)[0] == 403
    liar.claims = {**own, "email_verified": True}
    assert attempt(api, liar)[0] == 303
    assert Visitor(api).sign_in("default", "boss@example.org").status_code == 401
    liar.claims = {**own, "email_verified": True, "sub": "s-2"}
    assert attempt(api, liar)[0] == 403, "it is somebody's already"


def test_userinfo_of_somebody_else_gives_nothing(api: Api, liar: LyingProvider) -> None:
    liar.claims = {"roles": None}
    liar.userinfo = {"sub": "s-2", "roles": ["leads"]}
    assert attempt(api, liar)[0] == 502
    liar.userinfo = {"sub": "s-1", "roles": ["leads"]}
    assert attempt(api, liar)[0] == 303


def test_a_role_by_mail_address_needs_a_verified_one(api: Api, liar: LyingProvider) -> None:
    use_provider(api, liar.issuer, liar.receiver.opening, role_claim="email", roles="Anna@Example.org = admin")
    liar.claims = {"email": "anna@example.org"}
    assert attempt(api, liar)[0] == 403
    liar.claims = {"email": "anna@example.org", "email_verified": True}
    assert attempt(api, liar)[0] == 303


def test_a_disabled_account_stays_out_and_the_provider_may_demote_the_last_admin(api: Api, liar: LyingProvider) -> None:
    liar.claims = {"roles": ["leads"]}
    assert attempt(api, liar)[0] == 303
    liar.claims = {"roles": ["readers"]}
    assert attempt(api, liar)[0] == 303
    with write(api.engine) as connection:
        anna = users.find_user(connection, 1, "anna")
        assert anna.role == "viewer"
        users.disable_user(connection, anna, actor="test", now_us=1)
    status, text = attempt(api, liar)
    assert status == 403 and "disabled" in text


def test_the_last_admin_with_a_password_keeps_it(api: Api, liar: LyingProvider) -> None:
    root = sign_in(api, "root", role="admin")
    root.get("/console/security")
    root.post("/console/security/prove", {"password": "correct horse battery"})
    root.get("/console/security")
    from sso_world import sent_to

    liar.claims = {"roles": ["leads"], "sub": "root"}
    arrive(root, liar.come_back(sent_to(root.post("/console/security/connect"))))
    assert "you are the only admin with a password" in root.get("/console/security").text.lower()
    assert Visitor(api).sign_in("default", "root").status_code == 303


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/console/../v1", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(api: Api, liar: LyingProvider, next: str) -> None:
    visitor = Visitor(api)
    answer = arrive(visitor, liar.come_back(begin(visitor, next=next)))
    assert answer.headers["location"].startswith("/console/")


def test_an_error_of_the_provider_is_shown_as_text(api: Api, liar: LyingProvider) -> None:
    visitor = Visitor(api)
    state = parse_qs(urlsplit(begin(visitor)).query)["state"][0]
    hostile = "error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    answer = visitor.get(f"/console/sign-in/sso/callback/default?{hostile}&state={state}")
    assert answer.status_code == 403 and "access_denied" in answer.text and "<script>alert" not in answer.text
    twice = f"code=a&code=b&state={state}"
    assert visitor.get(f"/console/sign-in/sso/callback/default?{twice}").status_code == 400


def test_changing_the_rules_of_roles_signs_out_everybody_who_came_by_them(api: Api, liar: LyingProvider) -> None:
    visitor = Visitor(api)
    assert arrive(visitor, liar.come_back(begin(visitor))).status_code == 303
    use_provider(api, liar.issuer, liar.receiver.opening, roles="leads = admin")
    assert visitor.get("/console/clusters").status_code == 303


def test_a_stored_secret_is_not_sent_to_another_issuer(api: Api, liar: LyingProvider) -> None:
    use_provider(api, liar.issuer, liar.receiver.opening, secret="only for the first")
    root = sign_in(api, "root", role="admin")
    form = {"issuer": "https://evil.example", "client_id": "brigadewatch", "roles": "a = viewer"}
    root.get("/console/settings/sign-in")
    assert root.post("/console/settings/sign-in/provider", form).status_code == 303
    with api.engine.connect() as connection:
        row = connection.execute(sa.select(schema.identity_providers)).one()
    assert (row.issuer, row.client_secret) == ("https://evil.example", None)
    assert "only for the first" not in root.get("/console/settings/sign-in").text


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "n"},
        {"events": None},
        {"events": {"other": {}}},
        {"aud": "another"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"iat": int(time.time()) - 3_600},
        {"sub": None},
    ],
)
def test_only_a_genuine_logout_token_ends_sessions(api: Api, liar: LyingProvider, changed: dict[str, Any]) -> None:
    visitor = Visitor(api)
    assert arrive(visitor, liar.come_back(begin(visitor))).status_code == 303
    events = {"http://schemas.openid.net/event/backchannel-logout": {}}
    good = {"events": events, "nonce": None, "preferred_username": None, "roles": None}
    path, cut = "/console/sign-in/sso/logout/default", {"events": events, "nonce": None, **changed}
    outsider = Visitor(api)
    assert outsider.post(path, {"logout_token": liar.signed(**{**good, **cut})}).status_code == 400
    forged = jwt.encode({"alg": "RS256", "kid": "one"}, {"sub": "s-1"}, RSAKey.generate_key(2048, {"kid": "one"}))
    assert outsider.post(path, {"logout_token": forged}).status_code == 400
    assert visitor.get("/console/clusters").status_code == 200
    assert outsider.post(path, {"logout_token": liar.signed(**good)}).status_code == 200
    assert visitor.get("/console/clusters").status_code == 303
