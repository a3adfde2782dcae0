"""Messages by e-mail: what a person chooses, the confirmation, and stopping them without signing in."""

from __future__ import annotations

import re
from dataclasses import replace

import sqlalchemy as sa
from conftest import Api
from console_world import Visitor, sign_in

from service.settings import SmtpSettings
from service.storage.accounts import mail_preferences
from service.storage.accounts.mail_preferences import MailPreference
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql import schema
from service.storage.sql.engine import write

CHOICE = {
    "cadence": "daily_if_new",
    "address": "anna@example.org",
    "hour": "07:30",
    "time_zone": "Europe/Berlin",
    "quiet_from": "22:00",
    "quiet_until": "06:00",
}


def stored(api: Api) -> MailPreference | None:
    with api.engine.connect() as connection:
        user = connection.scalar(sa.select(schema.users.c.id).where(schema.users.c.name == "anna"))
        return mail_preferences.read_preference(connection, user or 0)


def path(api: Api, purpose: mail_preferences.Purpose) -> str:
    preference = stored(api)
    assert preference is not None
    token = mail_preferences.seal_token(SecretBox(api.settings), purpose, preference)
    return f"/console/mail/{purpose.removeprefix('mail-')}/{token}"


def trail(api: Api) -> list[tuple[str, str]]:
    table = schema.audit_trail.c
    with api.engine.connect() as connection:
        rows = connection.execute(sa.select(table.actor, table.action).order_by(table.id)).all()
    return [(row.actor, row.action) for row in rows if row.action.startswith("mail.")]


def test_a_person_chooses_confirms_and_stops_messages(api: Api) -> None:
    anna = sign_in(api, "anna", role="viewer")
    assert "nothing is sent" in anna.get("/console/mail").text and stored(api) is None
    assert anna.post("/console/mail", CHOICE).status_code == 303
    page = anna.get("/console/mail").text
    assert 'value="07:30"' in page and 'value="anna@example.org"' in page and "not confirmed" in page
    confirm = path(api, "mail-confirm")
    assert "is my address" in anna.get(confirm).text
    assert (found := stored(api)) is not None and found.confirmed_us is None, "opening the link confirms nothing"
    bert = sign_in(api, "bert", role="viewer")
    assert bert.get(confirm).status_code == 403 and bert.post(confirm).status_code == 403
    assert anna.post(confirm).status_code == 303
    assert (found := stored(api)) is not None and found.confirmed_us is not None and found.time_zone == "Europe/Berlin"
    assert anna.post("/console/mail/test").status_code == 303
    assert "has no mail server." in anna.get("/console/mail").text, "it does not say that one is on its way"
    assert (found := stored(api)) is not None and found.test_us is not None
    assert anna.post("/console/mail", {"cadence": "off"}).status_code == 303
    assert stored(api) is None
    assert trail(api) == [("anna", "mail.changed"), ("anna", "mail.confirmed"), ("anna", "mail.off")]


def test_the_forms_begin_with_the_person_s_own_time_zone(api: Api) -> None:
    root = sign_in(api, "root", role="admin")
    root.post("/console/time-zone", {"time_zone": "Asia/Kolkata"})
    for page in ("/console/mail", "/console/settings/subscriptions"):
        assert re.search(r'<input [^>]*name="time_zone"[^>]* value="Asia/Kolkata"', root.get(page).text), page


def test_the_link_in_a_message_stops_them_without_signing_in_and_nothing_else(api: Api) -> None:
    anna = sign_in(api, "anna", role="viewer")
    anna.post("/console/mail", CHOICE)
    off, nobody = path(api, "mail-off"), Visitor(api)
    assert "Stop messages to" in nobody.get(off).text
    assert (found := stored(api)) is not None and found.cadence == "daily_if_new", "a preview stops nothing"
    # as a mail program's server posts it (RFC 8058), without a cookie or an Origin of ours
    answer = api.request("POST", off, content=b"List-Unsubscribe=One-Click", key=None)
    assert answer.status_code == 200 and "Nothing more is sent" in answer.text
    assert api.request("POST", off, content=b"List-Unsubscribe=One-Click", key=None).status_code == 200
    assert trail(api).count(("link in a message", "mail.off")) == 1
    assert (found := stored(api)) is not None and found.cadence == "off"
    assert nobody.get(path(api, "mail-confirm").replace("/confirm/", "/off/")).status_code == 404
    assert nobody.get("/console/mail/off/nonsense").status_code == 404
    assert nobody.get("/console/mail/off/%00").status_code == 404


def test_a_link_for_an_address_that_was_changed_is_void(api: Api) -> None:
    anna = sign_in(api, "anna", role="viewer")
    anna.post("/console/mail", CHOICE)
    confirm = path(api, "mail-confirm")
    anna.post("/console/mail", {**CHOICE, "address": "anna@other.example"})
    assert anna.post(confirm).status_code == 404
    with write(api.engine) as connection:
        found = mail_preferences.read_preference(connection, 1)
        assert found is not None
        mail_preferences.confirm(connection, found, by="anna", now_us=1)
    anna.post("/console/mail", CHOICE)
    again = stored(api)
    assert again is not None and again.confirmed_us is None


def test_what_does_not_fit_is_refused_and_shown_again(api: Api) -> None:
    anna = sign_in(api, "anna", role="viewer")
    for wrong in (
        {"address": "anna"},
        {"address": "anna@example.org\nBcc: all@example.org"},
        {"address": "a@b.example, c@d.example"},
        {"address": "Anna <anna@example.org>"},
        {"address": "=?utf-8?q?eve=40example.com=2C?=@example.org"},
        {"address": "=?utf-8?q?=0a?=@example.org"},
        {"address": "x" * 260 + "@example.org"},
        {"cadence": "hourly"},
        {"hour": "25:00"},
        {"time_zone": "Berlin"},
        {"quiet_from": "22:00", "quiet_until": ""},
    ):
        answer = anna.post("/console/mail", {**CHOICE, **wrong})
        assert answer.status_code == 422, wrong
    assert stored(api) is None


def test_operations_say_when_the_mail_server_is_down(api: Api) -> None:
    root = sign_in(api, "root", role="admin")
    assert "No mail server is set" in root.get("/console/ops").text
    context = api.app.state.api
    context.settings = replace(context.settings, smtp=SmtpSettings("mail.example.org", 587, "starttls", "a@b.example"))
    anna = sign_in(api, "anna", role="viewer")
    anna.post("/console/mail", CHOICE)
    assert "1 person of this tenant gets messages" in root.get("/console/ops").text
    with write(api.engine) as connection:
        connection.execute(sa.update(schema.mail_preferences).values(failures=3, last_error="ConnectionRefusedError"))
    page = root.get("/console/ops").text
    assert "failed for 1 of 1 person" in page and "ConnectionRefusedError" in page
