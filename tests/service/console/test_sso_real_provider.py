"""Single sign-on against a certified provider: there, back, roles, signing out, and what its other answers lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
import sqlalchemy as sa
from conftest import Api
from console_world import Visitor, put_user, sign_in
from identity_provider import RealProvider, real_provider
from sso_world import arrive, begin, sent_to, use_provider

from service.storage.sql import schema

BASE = "http://testserver"


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    with real_provider() as running:
        running.put("anna", preferred_username="anna@example.org", roles=["moderators"], email="anna@example.org")
        yield running


@pytest.fixture
def real(api: Api, provider: RealProvider) -> RealProvider:
    """The provider, set up for the tenant `default`; the API's clock is the true one."""
    api.app.state.api.now = lambda: datetime.now(UTC)
    client = provider.register(BASE, "default")
    use_provider(api, provider.issuer, provider.opening, client_id=client["client_id"], secret=client["client_secret"])
    return provider


def test_a_person_signs_in_with_the_role_of_their_claim_and_comes_to_the_page_they_wanted(
    api: Api, real: RealProvider
) -> None:
    anna = Visitor(api)
    back = real.sign_in(begin(anna, next="/console/overview"), "anna")
    answer = arrive(anna, back)
    assert (answer.status_code, answer.headers.get("location")) == (303, "/console/overview"), answer.text
    assert "brigadewatch-sso" not in anna.cookies
    page = anna.get("/console/overview").text
    assert "anna@example.org" in page and "moderator" in page
    assert anna.get("/console/settings/people").status_code == 403
    with api.engine.connect() as connection:
        user = connection.execute(sa.select(schema.users)).one()
        identity = connection.execute(sa.select(schema.user_identities)).one()
        session = connection.execute(sa.select(schema.sessions)).one()
    assert (user.password_hash, user.role) == ("", "moderator")
    assert (identity.issuer, identity.subject, identity.user_id) == (real.issuer, "anna", user.id)
    assert session.via == "sso"
    assert session.expires_us - session.created_us == 12 * 3_600 * 1_000_000


def test_roles_are_read_again_at_each_sign_in_and_without_one_the_person_is_out(api: Api, real: RealProvider) -> None:
    real.put("ben", preferred_username="ben", roles=["leads", "moderators"])
    ben = Visitor(api)
    assert arrive(ben, real.sign_in(begin(ben), "ben")).status_code == 303
    assert ben.get("/console/settings/people").status_code == 200, "the highest role counts"
    real.put("ben", preferred_username="ben", roles="readers")
    again = Visitor(api)
    assert arrive(again, real.sign_in(begin(again), "ben")).status_code == 303
    assert ben.get("/console/settings/people").status_code == 403, "in sessions that were open, too"
    real.put("ben", preferred_username="ben", roles=["canteen"])
    third = Visitor(api)
    refused = arrive(third, real.sign_in(begin(third), "ben"))
    assert refused.status_code == 403 and "gives you no role here" in refused.text
    assert [one.get("/console/clusters").status_code for one in (ben, again, third)] == [303, 303, 303]


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        ({"roles": "moderators"}, "roles"),
        ({"realm_access": {"roles": ["x", "moderators"]}}, "realm_access.roles"),
        ({"realm_access": {"roles": {"moderators": True}}}, None),
        ({"roles": [{"name": "moderators"}, 7, None]}, None),
        ({"roles": {"moderators": True}}, None),
        ({}, None),
    ],
)
def test_a_role_claim_may_be_a_text_a_list_or_nested_and_anything_else_gives_no_role(
    api: Api, provider: RealProvider, claims: dict[str, object], path: str | None
) -> None:
    api.app.state.api.now = lambda: datetime.now(UTC)
    client = provider.register(BASE, "default")
    role_claim = path or ("realm_access.roles" if "realm_access" in claims else "roles")
    use_provider(
        api,
        provider.issuer,
        provider.opening,
        client_id=client["client_id"],
        secret=client["client_secret"],
        role_claim=role_claim,
    )
    provider.put("carl", preferred_username="carl", **claims)
    carl = Visitor(api)
    assert arrive(carl, provider.sign_in(begin(carl), "carl")).status_code == (303 if path else 403)


def test_an_answer_works_once_and_only_in_the_browser_that_began(api: Api, real: RealProvider) -> None:
    anna, mallory = Visitor(api), Visitor(api)
    back = real.sign_in(begin(anna), "anna")
    stolen = arrive(mallory, back)
    assert stolen.status_code == 400 and "another browser" in stolen.text
    begin(mallory)
    assert arrive(mallory, back).status_code == 400, "nor with a cookie of another attempt"
    cookie = anna.cookies["brigadewatch-sso"]
    assert arrive(anna, back).status_code == 303
    assert arrive(anna, back).status_code == 400
    anna.cookies["brigadewatch-sso"] = cookie
    replayed = arrive(anna, back)
    assert replayed.status_code == 502 and "invalid_grant" in replayed.text


def test_signing_out_here_ends_the_session_there(api: Api, real: RealProvider) -> None:
    with httpx.Client() as browser:
        anna = Visitor(api)
        assert arrive(anna, real.sign_in(begin(anna), "anna", browser)).status_code == 303
        anna.get("/console/clusters")
        url = sent_to(anna.post("/console/sign-out"))
        assert url.startswith(f"{real.issuer}/session/end?") and "id_token_hint=" in url
        assert anna.get("/console/clusters").status_code == 303, "signed out here, whatever happens there"
        page = browser.get(url)
        form = dict(re.findall(r'name="(xsrf)" value="([^"]+)"', page.text)) | {"logout": "yes"}
        done = browser.post(f"{real.issuer}/session/end/confirm", data=form)
        assert done.headers["location"].startswith(f"{BASE}/console/sign-in")
        anna.get("/console/sign-in")
        url = begin(anna)
        assert "/interaction/" in browser.get(url).headers["location"], "the provider asks who it is again"


def test_a_provider_that_ends_a_session_ends_it_here(api: Api, provider: RealProvider) -> None:
    """Back-channel logout: the token is made by the certified provider and carried over by hand."""
    from loopback import Receiver, serving

    api.app.state.api.now = lambda: datetime.now(UTC)
    with serving(Receiver()) as receiver:
        client = provider.register(
            BASE, "default", backchannel_logout_uri=receiver.url, backchannel_logout_session_required=True
        )
        use_provider(
            api, provider.issuer, provider.opening, client_id=client["client_id"], secret=client["client_secret"]
        )
        with httpx.Client() as browser:
            anna, elsewhere = Visitor(api), Visitor(api)
            assert arrive(anna, provider.sign_in(begin(anna), "anna", browser)).status_code == 303
            assert arrive(elsewhere, provider.sign_in(begin(elsewhere), "anna")).status_code == 303
            page = browser.get(f"{provider.issuer}/session/end")
            form = dict(re.findall(r'name="(xsrf)" value="([^"]+)"', page.text)) | {"logout": "yes"}
            browser.post(f"{provider.issuer}/session/end/confirm", data=form)
        assert [asked.method for asked in receiver.asked] == ["POST"]
        body = receiver.asked[0].body
    outsider = Visitor(api)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    wrong = outsider.request("POST", "/console/sign-in/sso/logout/default", content=body[:-8], headers=kind)
    assert wrong.status_code == 400 and anna.get("/console/clusters").status_code == 200
    assert outsider.request("POST", "/console/sign-in/sso/logout", content=body, headers=kind).status_code == 400
    right = outsider.request("POST", "/console/sign-in/sso/logout/default", content=body, headers=kind)
    assert right.status_code == 200, right.text
    assert anna.get("/console/clusters").status_code == 303
    assert elsewhere.get("/console/clusters").status_code == 200, "another session there, and not this one"


def test_testing_the_connection_says_what_works_and_what_does_not(api: Api, real: RealProvider) -> None:
    root = sign_in(api, "root", role="admin")
    root.get("/console/settings/sign-in")
    good = root.post("/console/settings/sign-in/test").text
    assert "does not work" not in good
    for text in ("its metadata is valid", "accepts the client ID and its secret", "opens its sign-in page"):
        assert text in good
    client = real.register("http://elsewhere.example", "default")
    for secret, said in (
        (
            client["client_secret"],
            "register the redirect address http://testserver/console/sign-in/sso/callback/default",
        ),
        ("a wrong secret", "does not accept the client ID with its secret"),
    ):
        use_provider(api, real.issuer, real.opening, client_id=client["client_id"], secret=secret)
        assert said in root.post("/console/settings/sign-in/test").text
    use_provider(api, f"{real.issuer}/", real.opening, client_id=client["client_id"])
    assert "with or without the last slash" in root.post("/console/settings/sign-in/test").text


def test_a_person_of_a_password_connects_their_account_and_the_password_ends(api: Api, real: RealProvider) -> None:
    put_user(api, "keeper", role="admin")
    dora = sign_in(api, "dora", role="viewer")
    real.put("dora", preferred_username="somebody else", roles=["moderators"])
    dora.get("/console/security")
    assert dora.post("/console/security/connect").headers["location"] == "/console/security", "not without a proof"
    assert dora.post("/console/security/prove", {"password": "correct horse battery"}).status_code == 303
    dora.get("/console/security")
    back = real.sign_in(sent_to(dora.post("/console/security/connect")), "dora")
    assert arrive(dora, back).headers["location"] == "/console/security"
    assert "dora" in dora.get("/console/clusters").text
    assert Visitor(api).sign_in("default", "dora").status_code == 401
    later = Visitor(api)
    assert arrive(later, real.sign_in(begin(later), "dora")).status_code == 303
    assert "dora" in later.get("/console/clusters").text and "moderator" in later.get("/console/clusters").text


def test_the_provider_of_all_tenants_gives_a_role_only_in_the_tenant_that_its_rule_names(
    api: Api, provider: RealProvider
) -> None:
    api.app.state.api.now = lambda: datetime.now(UTC)
    put_user(api, "x", tenant="news")
    put_user(api, "x", tenant="sport")
    client = provider.register(BASE, None)
    use_provider(
        api,
        provider.issuer,
        provider.opening,
        tenant=None,
        client_id=client["client_id"],
        secret=client["client_secret"],
        roles="moderators = news/moderator\nleads = sport/admin",
    )
    provider.put("eva", preferred_username="eva", roles=["moderators"])
    eva = Visitor(api)
    assert "Your team’s tenant" in eva.get("/console/sign-in").text
    assert arrive(eva, provider.sign_in(begin(eva, "news"), "eva")).status_code == 303
    assert "news" in eva.get("/console/clusters").text
    refused = arrive(eva, provider.sign_in(begin(eva, "sport"), "eva"))
    assert refused.status_code == 403 and "no role here" in refused.text
