"""A person's own password, and the one that somebody else made for the first sign-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import NOW_US, Api
from console_world import PASSWORD, Visitor, put_user, sign_in

from service.console.hashing import Hashing
from service.storage.accounts import one_time_links, users
from service.storage.accounts.passwords import hash_password
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.wall_clock import now_us

FRESH = "a staple is no horse"


def change(visitor: Visitor, present: str = PASSWORD, fresh: str = FRESH, again: str | None = None) -> tuple[int, str]:
    visitor.get("/console/password")
    answer = visitor.post(
        "/console/password", {"present": present, "fresh": fresh, "again": fresh if again is None else again}
    )
    return answer.status_code, answer.text


def test_a_person_changes_the_password_and_other_browsers_are_signed_out(api: Api) -> None:
    anna, elsewhere = sign_in(api), Visitor(api)
    assert elsewhere.sign_in("default", "anna").status_code == 303
    assert change(anna)[0] == 303
    assert "Your password has been changed" in anna.get("/console/clusters").text
    assert elsewhere.get("/console/clusters").status_code == 303
    assert Visitor(api).sign_in("default", "anna").status_code == 401
    assert Visitor(api).sign_in("default", "anna", FRESH).status_code == 303


def test_a_wrong_current_a_weak_a_mistyped_or_the_same_password_changes_nothing(api: Api) -> None:
    anna = sign_in(api)
    for status, said, (present, fresh, again) in (
        (422, "is wrong", ("not this one at all", FRESH, FRESH)),
        (422, "12 to", (PASSWORD, "short", "short")),
        (422, "do not match", (PASSWORD, FRESH, FRESH + "!")),
        (422, "must differ from the current one", (PASSWORD, PASSWORD, PASSWORD)),
        (422, "12 to", (PASSWORD, "", "")),
    ):
        found, text = change(anna, present, fresh, again)
        assert (found, said in text) == (status, True), text
    assert Visitor(api).sign_in("default", "anna").status_code == 303


def test_guessing_the_password_in_an_open_session_is_limited(api: Api) -> None:
    anna = sign_in(api)
    assert {change(anna, f"guess number {k}")[0] for k in range(5)} == {422}
    assert change(anna)[0] == 429
    bert = sign_in(api, "bert")
    for _ in range(9):  # mistakes in the new one are no guesses
        assert change(bert, fresh="short")[0] == 422
    assert change(bert)[0] == 303


class Interrupted(Hashing):
    """Does something else before one of its hashes."""

    def __init__(self, at: int, then: Callable[[], object]) -> None:
        super().__init__()
        self._left, self._then = at, then

    async def run(self, work: Callable[[], Any], *, known: bool = True) -> Any:
        self._left -= 1
        if self._left == 0:
            self._then()
        return await super().run(work, known=known)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_change_that_was_under_way_does_not_undo_what_an_admin_did_meanwhile(api: Api, at: int) -> None:
    anna, tokens = sign_in(api), list[str]()

    def void() -> None:
        with write(api.engine) as connection:
            user = users.find_user(connection, 1, "anna")
            tokens.append(one_time_links.make_link(connection, user, factors_too=False, actor="root", now_us=now_us()))

    anna.get("/console/password")
    api.app.state.hashing = Interrupted(at, void)
    answer = anna.post("/console/password", {"present": PASSWORD, "fresh": FRESH, "again": FRESH})
    assert answer.headers["location"].startswith("/console/sign-in")
    assert Visitor(api).sign_in("default", "anna", FRESH).status_code == 401
    assert Visitor(api).get(f"/console/sign-in/link/{tokens[0]}").status_code == 200


def test_a_one_time_password_redirects_every_page_to_choosing_a_new_one(api: Api) -> None:
    put_user(api, "root", role="admin")
    with write(api.engine) as connection:
        tenant = connection.scalar(sa.select(schema.tenants.c.id))
        users.create_user(
            connection,
            int(tenant or 0),
            "bert",
            "moderator",
            hash_password("made by an admin"),
            actor="root",
            now_us=NOW_US,
            one_time=True,
        )
    bert = Visitor(api)
    assert bert.sign_in("default", "bert", "made by an admin").status_code == 303
    assert bert.get("/console/clusters").headers["location"] == "/console/password"
    assert bert.get("/console/clusters", htmx=True).headers["hx-redirect"] == "/console/password"
    assert bert.get("/console/clusters", headers={"Accept": "application/json"}).status_code == 403
    page = bert.get("/console/password")
    assert "one-time password" in page.text
    assert bert.post("/console/clusters/k/claim").headers.get("location", "/console/password") == "/console/password"
    assert change(bert, "made by an admin", "made by an admin")[0] == 422
    assert change(bert, "made by an admin")[0] == 303
    assert bert.get("/console/clusters").status_code == 200
