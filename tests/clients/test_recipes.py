"""The programs in docs/integrations, run as they stand there."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from service.platforms import registry
from service.platforms.signatures import fault

RECIPES = Path(__file__).parents[2] / "docs" / "integrations"
HOOK = "/v1/webhooks/discourse/src_0"


@dataclass
class World:
    """A brigadewatch and a platform on one port: what they say by path, and what they were told."""

    url: str = ""
    says: dict[str, Any] = field(default_factory=dict)
    assessed: dict[str, Any] = field(default_factory=dict)  # by target, in the answer to a post that asks
    told: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)  # of each of them

    def assess(self, target: str, complaints: int, independent: float, recommendation: str = "none") -> dict[str, Any]:
        return {
            "target_id": target,
            "complaints": complaints,
            "independent_complaints": independent,
            "coordinated_probability": 0.5,
            "recommendation": recommendation,
            "clusters": [],
            "without_clusters": {},
            "as_of": "2026-11-22T12:00:00Z",
            "pending": False,
        }

    def received(self, kind: str) -> list[Any]:
        """Items posted to brigadewatch."""
        return [
            json.loads(line)
            for method, path, body in self.told
            if urlsplit(path).path == f"/v1/{kind}"
            for line in body.splitlines()
        ]


@pytest.fixture
def world() -> Iterator[World]:
    state = World()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            state.told.append((self.command, self.path, body))
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            path = urlsplit(self.path)
            said = state.says.get(path.path, {})
            if path.path in ("/v1/complaints", "/v1/outcomes") and not isinstance(said, tuple):
                receipt = {"accepted": len(body.splitlines()), "rejected": [], "rejected_count": 0, "position": 1}
                if "assess" in parse_qs(path.query):
                    targets = dict.fromkeys(json.loads(line)["target"]["id"] for line in body.splitlines())
                    receipt["assessments"] = [state.assessed[target] for target in targets]
                status, said = 202, receipt
            else:
                status, said = (
                    (200, said(parse_qs(path.query), body))
                    if callable(said)
                    else said
                    if isinstance(said, tuple)
                    else (200, said)
                )
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def recipe(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Runs the last program in a page, or another one; its names."""
    for name in ("BRIGADEWATCH_URL", "DISCOURSE_URL", "LEMMY_URL"):
        monkeypatch.setenv(name, world.url)
    for name in ("BRIGADEWATCH_KEY", "DISCOURSE_KEY", "DISCOURSE_USER", "LEMMY_JWT"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("BRIGADEWATCH_HOOK", f"{world.url}{HOOK}")
    monkeypatch.setenv("HOOK_SECRET", "secret")
    monkeypatch.setenv("COMMENTS_DB", str(tmp_path / "comments.sqlite"))
    run: list[dict[str, Any]] = []

    def execute(page: str, which: int = -1) -> dict[str, Any]:
        program = re.findall(r"```python\n(.*?)```", (RECIPES / page).read_text(), re.DOTALL)[which]
        names: dict[str, Any] = {"__name__": "recipe"}
        exec(compile(program, page, "exec"), names)
        run.append(names)
        if "watch" in names:
            names["watch"]._timeout = 5.0  # a busy machine; the bound is tested elsewhere
        return names

    yield execute
    for names in run:
        for name in ("watch", "db", "forum", "lemmy"):
            if name in names:
                names[name].close()


def test_the_home_grown_section_asks_before_it_takes_down_and_tells_who_decided(
    world: World, recipe: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    section = recipe("home-grown.md")
    section["db"].executemany(
        "INSERT INTO comments (id, article, author) VALUES (?, 'article-3', 'a-9')", [("5",), ("6",)]
    )
    for k in range(8):
        world.assessed["5"] = world.assess("5", k + 1, k + 1.0)
        world.assessed["6"] = world.assess("6", k + 1, 1.0, "none" if k < 7 else "hold")
        for comment in ("5", "6"):
            section["report"](comment, f"r-{k}")
            section["report"](comment, f"r-{k}")
            assert (
                section["db"].execute("SELECT state FROM comments WHERE id = ?", comment).fetchone() == ("up",)
            ) == (k < 7 or comment == "6")
    assert section["db"].execute("SELECT id, state FROM comments ORDER BY id").fetchall() == [
        ("5", "removed"),
        ("6", "up"),
    ]
    assert "comment 6 was not taken down by count: 1.0 people" in capsys.readouterr().out
    section["decide"]("5", upheld=False)
    section["decide"]("6", upheld=False)
    section["send"]()
    section["send"]()
    assert len(world.received("complaints")) == 16
    assert [(o["target_id"], o.get("verdict"), o["action"], o["decided_by"]) for o in world.received("outcomes")] == [
        ("5", None, "removed", "automatic"),
        ("5", "rejected", "restored", "person"),
        ("6", "rejected", "kept", "person"),
    ]
    section["report"]("6", "r-9")
    assert section["db"].execute("SELECT state FROM comments WHERE id = '6'").fetchone() == ("kept",)


def test_the_home_grown_section_takes_a_verdict_back_and_the_one_before_it_is_in_force_again(
    world: World, recipe: Any
) -> None:
    section = recipe("home-grown.md")
    section["db"].execute("INSERT INTO comments (id) VALUES ('5')")
    section["take_back"]("5")
    section["decide"]("5", upheld=False)
    section["decide"]("5", upheld=True)
    states = []
    for _ in range(3):
        section["take_back"]("5")
        states += section["db"].execute("SELECT state FROM comments").fetchone()
    assert states == ["up"] * 3
    section["send"]()
    received = [(o["id"], o.get("verdict"), o.get("action"), o.get("retracts")) for o in world.received("outcomes")]
    assert received == [
        ("decision-1", "rejected", "kept", None),
        ("decision-2", "upheld", "removed", None),
        ("decision-3", None, "restored", "decision-2"),
        ("decision-4", None, None, "decision-1"),
    ]


def test_the_home_grown_section_leaves_comments_up_without_an_answer(
    world: World, recipe: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    section = recipe("home-grown.md")
    section["db"].execute("INSERT INTO comments (id) VALUES ('5')")
    world.says["/v1/complaints"] = (503, {"detail": "being rebuilt"})
    for k in range(9):
        section["report"]("5", f"r-{k}")
    assert section["db"].execute("SELECT state FROM comments").fetchone() == ("up",)
    assert "comment 5 was not taken down by count: 503: being rebuilt" in capsys.readouterr().out
    del world.says["/v1/complaints"]
    world.told.clear()
    section["send"]()
    assert len(world.received("complaints")) == 9


def test_a_brigade_that_is_faster_than_the_analysis_takes_nothing_down(
    world: World, recipe: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    section = recipe("home-grown.md")
    section["db"].execute("INSERT INTO comments (id) VALUES ('5')")
    later = iter(["wait"] * 2 + ["hold"])
    world.says["/v1/targets/5"] = lambda query, _: {
        **world.assess("5", 2, 2.0, next(later)),
        "unseen": 6,
        "retry_after_ms": 20,
    }
    first = {**world.assess("5", 2, 2.0, "wait"), "unseen": 6, "retry_after_ms": 20}
    section["db"].executemany(
        "INSERT INTO reports (comment, reader, sent) VALUES ('5', ?, 1)", [(k,) for k in range(7)]
    )
    world.assessed = {"5": first}
    section["report"]("5", "r-7")
    assert next(later, None) is None
    assert section["db"].execute("SELECT state FROM comments").fetchone() == ("up",)
    assert "2.0 people complained independently" in capsys.readouterr().out


def report_view(comment: int, creator: int, *, removed: bool = False, local: bool = True) -> dict[str, Any]:
    return {
        "comment_report": {"id": comment * 100 + creator},
        "comment": {"id": comment, "removed": removed, "deleted": False},
        "creator": {"id": creator, "local": local},
    }


def test_the_lemmy_bot_asks_first_and_tells_its_removals_as_automatic(
    world: World, recipe: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = (
        [report_view(c, k) for c in (5, 6) for k in range(27)]
        + [report_view(7, k, removed=True) for k in range(9)]
        + [report_view(8, k, local=False) for k in range(9)]
    )
    world.says["/api/v3/comment/report/list"] = lambda query, _: {
        "comment_reports": reports[50 * (int(query["page"][0]) - 1) :][:50]
    }
    world.says["/v1/targets/comment%2F5"] = world.assess("comment/5", 27, 20.0)
    world.says["/v1/targets/comment%2F6"] = world.assess("comment/6", 27, 2.0, "hold")
    recipe("lemmy.md")["main"]()
    removed = [json.loads(body) for _, path, body in world.told if path == "/api/v3/comment/remove"]
    assert [(r["comment_id"], r["removed"]) for r in removed] == [(5, True)]
    assert [(o["target_id"], o["action"], o["decided_by"], "verdict" in o) for o in world.received("outcomes")] == [
        ("comment/5", "removed", "automatic", False)
    ]
    assert "comment 6 stays up" in capsys.readouterr().out
    assert not any("/resolve" in path for _, path, _ in world.told)


def test_the_discourse_script_puts_back_what_only_a_group_got_hidden(world: World, recipe: Any) -> None:
    pending = [{"id": k, "post_id": k} for k in range(1, 13)] + [{"id": 13, "post_id": None}]
    world.says["/review.json"] = lambda query, _: {"reviewables": pending[int(query["offset"][0]) :][:10]}
    hold = {"3", "11"}
    world.says["/v1/targets/assess"] = lambda _, body: {
        "items": [world.assess(t, 6, 1.0, "hold" if t in hold else "none") for t in json.loads(body)["target_ids"]]
    }
    world.says["/posts/3.json"], world.says["/posts/11.json"] = {"hidden": True}, {"hidden": False}
    recipe("discourse.md")["main"]()
    assert [path for method, path, _ in world.told if method == "PUT"] == ["/posts/3/unhide"]


def test_the_discourse_relay_sends_who_flagged_and_who_decided_and_withdraws_what_was_taken_back(
    world: World, recipe: Any
) -> None:
    """In the shape of Discourse's review queue: what belongs to the reviewables stands beside them."""
    just_now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    reviewables = [
        {
            "id": k,
            "type": "ReviewableFlaggedPost",
            "status": 0 if k < 12 else 2,
            "version": 0 if k < 12 else 1,
            "target_type": "Post",
            "target_id": 900 + k,
            "post_id": 900 + k,
            "topic_id": 7,
            "topic_url": "https://forum.example/t/bread/7",
            "cooked": "<p>words</p>",
            "created_at": "2026-11-27T10:00:00.000Z",
            "created_by_id": 101,
            "target_created_by_id": 99,
            "reviewable_score_ids": [2 * k + 1, 2 * k],
            "reviewable_history_ids": [k],
        }
        for k in range(13)
    ]
    scores = [
        {
            "id": n,
            "user_id": 100 + n,
            "created_at": just_now if n in (4, 5, 22, 23) else "2026-11-27T10:01:00.000Z",
            "score_type_id": 8 if n != 23 else 7,
            "reason": "<a>words</a>",
        }
        for n in range(26)
    ]
    decided = {"reviewable_history_type": 1, "status": 2, "created_at": "2026-11-27T12:00:00.000Z", "created_by_id": 3}

    def pages(query: dict[str, list[str]], _: str) -> dict[str, Any]:
        pending = query["status"] == ["pending"]
        found = [one for one in reviewables if (one["status"] == 0) is pending][int(query["offset"][0]) :][:10]
        ids = [number for one in found for number in one["reviewable_score_ids"]]
        return {
            "reviewables": found,
            "topics": [{"id": 6, "title": "Other"}, {"id": 7, "title": "Bread", "excerpt": "words"}],
            "reviewable_scores": [one for one in scores if one["id"] in ids],
            "reviewable_histories": [{"id": one["id"], **decided} for one in found],
        }

    def flaggers(query: dict[str, list[str]], _: str) -> dict[str, Any]:
        """Those who flag the post now: 104 has taken a flag back. Old flags are not asked about."""
        standing = {("902", "8"): [105, 77], ("911", "8"): [122], ("911", "7"): [123]}
        found = standing[query["id"][0], query["post_action_type_id"][0]]
        return {"post_action_users": [{"id": user, "username": f"u{user}"} for user in found]}

    world.says["/review.json"], world.says["/post_action_users.json"] = pages, flaggers
    world.says["/v1/complaints/4"] = (202, {"accepted": 1, "rejected": [], "rejected_count": 0, "position": 1})
    recipe("discourse.md", 0)["main"]()
    assert [path for method, path, _ in world.told if method == "DELETE"] == ["/v1/complaints/4"]
    sent = [
        (body.encode(), headers)
        for (_, path, body), headers in zip(world.told, world.headers, strict=True)
        if path == HOOK
    ]
    scheme, now = registry.scheme_of("discourse"), datetime(2026, 11, 28, tzinfo=UTC)
    assert [fault(scheme, headers, body, ("secret",), now) for body, headers in sent] == [None] * 13
    assert not any(b"words" in body for body, _ in sent)
    deliveries = [registry.read("discourse", json.loads(body), now) for body, _ in sent]
    assert [note for delivery in deliveries for note in delivery.notes] == []
    items = [item for delivery in deliveries for item in delivery.items]
    flags = [item.document for item in items if not item.is_outcome]
    assert {flag["id"]: flag["reporter"]["id"] for flag in flags} == {str(n): str(100 + n) for n in range(26)}
    assert {(flag["target"]["context_title"], flag["target"]["context_url"]) for flag in flags} == {
        ("Bread", "https://forum.example/t/bread/7")
    }
    (outcome,) = [item.document for item in items if item.is_outcome]
    assert (outcome["target_id"], outcome["verdict"], outcome["decided_by"]) == ("912", "rejected", "person")
    assert outcome["decided_at"] == datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize("page", sorted(path.name for path in RECIPES.glob("*.md")))
def test_links_between_the_pages_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", (RECIPES / page).read_text()):
        if "://" not in link:
            assert (RECIPES / link).exists(), link
