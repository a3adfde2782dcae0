"""Servers that speak as Coral, Lemmy and Ozone do: pages, cursors, tokens, and the faults that they are told to
have.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BEGIN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
Json = dict[str, Any]


def text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Server:
    """What all three have: a token, a log of what was asked, faults that come before the answers."""

    authorization: str
    asked: list[str] = field(default_factory=list)
    faults: list[Response] = field(default_factory=list)
    page_size: int | None = None  # smaller pages than asked for

    def answer(self, request: Request, body: Json, about: str) -> Response:
        self.asked.append(about)
        if self.faults:
            return self.faults.pop(0)
        if request.headers.get("authorization") != self.authorization:
            return JSONResponse({"error": "incorrect_login"}, 401)
        return JSONResponse(body)


@dataclass
class Coral(Server):
    authorization: str = "Bearer secret-token"
    flags: list[Json] = field(default_factory=list)
    reports: list[Json] = field(default_factory=list)  # of illegal content
    dsa: bool = True  # whether it knows of them
    dsa_asked: list[Any] = field(default_factory=list)
    stuck: bool = False  # says for ever that there is more, and gives the same cursor

    def comment(self, number: int) -> Json:
        return {
            "id": f"comment-{number % 7}",
            "body": "What they said.",
            "permalink": f"https://paper.example/c/{number % 7}",
            "author": {"id": "author-1"},
            "story": {
                "id": "story-1",
                "url": "https://paper.example/s/1",
                "metadata": {"title": f"The title at flag {number}" if number % 2 == 0 else None},
            },
            "parent": None,
            "statusHistory": {"edges": []},
        }

    def flag(self, number: int, at: datetime, **changes: Any) -> Json:
        made = {
            "id": f"flag-{number}",
            "createdAt": text(at),
            "reason": "COMMENT_REPORTED_ABUSIVE",
            "additionalDetails": "rude",
            "flagger": {"id": f"reader-{number}", "createdAt": text(BEGIN - timedelta(days=400))},
            "comment": self.comment(number),
            **changes,
        }
        self.flags.append(made)
        return made

    def report(self, number: int, at: datetime, **changes: Any) -> Json:
        """A report of illegal content."""
        made = {
            "id": f"report-{number}",
            "submissionID": f"form-{number}",
            "createdAt": text(at),
            "lawBrokenDescription": "section 1",
            "additionalInformation": "as it says",
            "reporter": {"id": f"reader-{number}", "createdAt": text(BEGIN - timedelta(days=400))},
            "history": [],
            "comment": self.comment(number),
            **changes,
        }
        self.reports.append(made)
        return made

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/api/graphql", self.graphql, methods=["POST"])])

    def dsa_reports(self, asked: Json) -> Response:
        first, after = min(self.page_size or 50, asked["first"]), asked["after"]
        self.dsa_asked.append(after)
        if not self.dsa:
            said = 'Cannot query field "dsaReports" on type "Query". Did you mean "users"?'
            return JSONResponse({"errors": [{"message": said}]}, 400)
        newest = sorted(self.reports, key=lambda report: str(report["createdAt"]), reverse=True)
        skip = int(after or 0)
        page = newest[skip : skip + first]
        info = {"endCursor": str(skip + len(page)) if page else None, "hasNextPage": len(newest) > skip + first}
        return JSONResponse({"data": {"dsaReports": {"edges": [{"node": r} for r in page], "pageInfo": info}}})

    async def graphql(self, request: Request) -> Response:
        asked = await request.json()
        if "dsaReports" in asked["query"]:
            assert "orderBy: CREATED_AT_DESC" in asked["query"]
            return self.dsa_reports(asked["variables"])
        assert "orderBy: CREATED_AT_ASC" in asked["query"]
        first, after = min(self.page_size or 50, asked["variables"]["first"]), asked["variables"]["after"]
        assert first <= 50
        later = sorted((f for f in self.flags if f["createdAt"] > after), key=lambda f: str(f["createdAt"]))
        page = later[:first]
        info = {"endCursor": page[-1]["createdAt"] if page else None, "hasNextPage": len(later) > first}
        if self.stuck:
            page, info = [], {"endCursor": after, "hasNextPage": True}
        return self.answer(
            request, {"data": {"flags": {"edges": [{"node": f} for f in page], "pageInfo": info}}}, after
        )


@dataclass
class Lemmy(Server):
    authorization: str = "Bearer secret-token"
    version: int = 4
    views: list[Json] = field(default_factory=list)
    endless: bool = False  # makes up a next page after every page

    def report(self, number: int, at: datetime, kind: str = "comment", **changes: Any) -> Json:
        published, updated = ("published", "updated") if self.version == 3 else ("published_at", "updated_at")
        stamp = at.isoformat().replace("+00:00", "Z")
        report: Json = {
            "id": number,
            "creator_id": 100 + number,
            f"{kind}_id": number % 5,
            "reason": "spam, I say",
            "resolved": False,
            published: stamp,
        }
        if kind == "comment":
            report["original_comment_text"] = "What they said."
        post = {"id": 40, "name": "Bread", "ap_id": "https://lemmy.example/post/40"}
        view: Json = {
            "post": post,
            f"{kind}_report": report,
            kind: {
                "id": number % 5,
                "creator_id": 7,
                "post_id": 40,
                "removed": False,
                "deleted": False,
                "ap_id": f"https://lemmy.example/{kind}/{number % 5}",
            },
            "community": {"id": 3, "name": "main"},
            "creator": {
                "id": 100 + number,
                "name": "someone",
                "local": True,
                "ap_id": "https://lemmy.example/u/someone",
                published: text(BEGIN - timedelta(days=90)),
                "bot_account": False,
            },
        }
        view["_at"], view["_updated"] = at, updated
        for path, value in changes.items():
            view[path] = value
        self.views.append(view)
        return view

    def resolve(self, view: Json, at: datetime, *, removed: bool, kind: str = "comment") -> None:
        view[f"{kind}_report"]["resolved"] = True
        view[f"{kind}_report"][view["_updated"]] = text(at)
        view[kind]["removed"] = removed
        view["resolver"] = {"id": 1, "bot_account": False}

    def app(self) -> Starlette:
        if self.version == 4:
            return Starlette(routes=[Route("/api/v4/report/list", self.combined)])
        return Starlette(
            routes=[Route("/api/v3/comment/report/list", self.comments), Route("/api/v3/post/report/list", self.posts)]
        )

    def newest_first(self, kind: str | None = None) -> list[Json]:
        chosen = [v for v in self.views if kind is None or f"{kind}_report" in v]
        return [
            {name: value for name, value in v.items() if not name.startswith("_")}
            for v in sorted(chosen, key=lambda v: v["_at"], reverse=True)
        ]

    async def combined(self, request: Request) -> Response:
        query = request.query_params
        assert query["show_community_rule_violations"] == "true" and query["unresolved_only"] == "false"
        start, size = int(query.get("page_cursor", "C0")[1:]), min(self.page_size or 50, int(query["limit"]))
        found = self.newest_first()
        more = start + size < len(found) or self.endless
        return self.answer(
            request,
            {"reports": found[start : start + size], "next_page": f"C{start + size}" if more else None},
            query.get("page_cursor", ""),
        )

    async def comments(self, request: Request) -> Response:
        return self.numbered(request, "comment")

    async def posts(self, request: Request) -> Response:
        return self.numbered(request, "post")

    def numbered(self, request: Request, kind: str) -> Response:
        page, size = int(request.query_params["page"]), int(request.query_params["limit"])
        assert size == 50
        return self.answer(
            request, {f"{kind}_reports": self.newest_first(kind)[(page - 1) * size : page * size]}, f"{kind} {page}"
        )


@dataclass
class Ozone(Server):
    authorization: str = "Basic " + base64.b64encode(b"admin:secret-password").decode()
    events: list[Json] = field(default_factory=list)
    activities: list[Json] = field(default_factory=list)
    newer: bool = True  # since June 2026: it has queryActivities

    def event(
        self, kind: str, at: datetime, subject: Json | None = None, by: str = "did:plc:reader", **event: Any
    ) -> Json:
        made = {
            "id": len(self.events) + 1,
            "event": {"$type": f"tools.ozone.moderation.defs#{kind}", **event},
            "subject": subject or {"$type": "com.atproto.admin.defs#repoRef", "did": "did:plc:author"},
            "subjectBlobCids": [],
            "createdBy": by,
            "createdAt": text(at),
        }
        self.events.append(made)
        return made

    def closed(self, number: int, at: datetime, event: Json, kind: str = "closeActivity", **changes: Any) -> Json:
        """A report that was closed (or opened again) by itself; `event` is the report's."""
        subject = event["subject"]
        address = subject.get("uri") or subject["did"]
        report = {"id": event["id"] + 1000, "eventId": event["id"], "reportType": event["event"]["reportType"]}
        made = {
            "id": number,
            "reportId": report["id"],
            "activity": {"$type": f"tools.ozone.report.defs#{kind}", "previousStatus": "open"},
            "isAutomated": False,
            "createdBy": "did:plc:mod",
            "report": {**report, "subject": {"type": "record", "subject": address}},
            "createdAt": text(at),
            **changes,
        }
        self.activities.append(made)
        return made

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/xrpc/tools.ozone.moderation.queryEvents", self.query),
                Route("/xrpc/tools.ozone.report.queryActivities", self.query_activities),
            ]
        )

    async def query_activities(self, request: Request) -> Response:
        query = request.query_params
        if not self.newer:
            self.asked.append("not implemented")
            return JSONResponse({"error": "MethodNotImplemented", "message": "Method Not Implemented"}, 501)
        assert query["sortDirection"] == "asc" and query.getlist("activityTypes") == ["closeActivity", "reopenActivity"]
        found = [a for a in self.activities if a["createdAt"] >= query["createdAfter"]]
        return self.answer(request, {"activities": found}, "activities")

    async def query(self, request: Request) -> Response:
        query = request.query_params
        assert query["sortDirection"] == "asc" and "tools.ozone.moderation.defs#modEventReport" in query.getlist(
            "types"
        )
        keyed = sorted(
            (
                e
                for e in self.events
                if e["createdAt"] >= query["createdAfter"] and e["event"]["$type"] in query.getlist("types")
            ),
            key=lambda e: (e["createdAt"], e["id"]),
        )
        if cursor := query.get("cursor"):
            ms, number = cursor.split("::")
            keyed = [
                e
                for e in keyed
                if (int(datetime.fromisoformat(e["createdAt"]).timestamp() * 1000), e["id"]) > (int(ms), int(number))
            ]
        page = keyed[: min(self.page_size or 100, int(query["limit"]))]
        last = page[-1] if page else None
        body: Json = {"events": page}
        if last is not None:
            body["cursor"] = f"{int(datetime.fromisoformat(last['createdAt']).timestamp() * 1000)}::{last['id']}"
        return self.answer(request, body, query.get("cursor", ""))
