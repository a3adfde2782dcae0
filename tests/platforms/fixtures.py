"""What the adapters make of our own fixtures: one rich sample a platform, as items."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from polled_platforms import BEGIN, Coral, Lemmy

from service.platforms import coral_dsa, coral_flags, lemmy_reports, registry
from service.platforms.items import Item
from tests.service.platforms.payloads import account, coop, discourse, mastodon, score, status
from tests.service.platforms.test_generic import DOCUMENT, MAPPING

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def _lemmy() -> list[Item]:
    found: list[Item] = []
    for version in (3, 4):
        server = Lemmy(version=version)
        server.resolve(server.report(1, BEGIN), BEGIN, removed=True)
        server.resolve(server.report(2, BEGIN), BEGIN, removed=False)
        server.views[1]["resolver"]["bot_account"] = True
        server.report(3, BEGIN)["creator"]["bot_account"] = True
        found += lemmy_reports.listing_of(server.newest_first()).items
    return found


def _coral() -> list[Item]:
    server = Coral()
    rejected = {"id": "a-1", "status": "REJECTED", "createdAt": "2026-11-01T12:00:00.000Z", "moderator": None}
    server.flag(1, BEGIN)["comment"]["statusHistory"]["edges"].append({"node": rejected})
    ruling = {"id": "i-1", "createdAt": "2026-11-01T12:00:00.000Z", "decision": {"legality": "ILLEGAL"}}
    server.report(2, BEGIN + timedelta(hours=1), history=[ruling])
    flags = coral_flags.listing_of({"edges": [{"node": flag} for flag in server.flags]})
    return flags.items + coral_dsa.listing_of({"edges": [{"node": report} for report in server.reports]}).items


def _posted(platform: str, *documents: Any, mapping: Any = None) -> list[Item]:
    return [item for document in documents for item in registry.read(platform, document, NOW, mapping).items]


def _discourse() -> list[Item]:
    by_system = score(3, -1, "2024-05-03T10:01:00.000Z")
    return _posted("discourse", discourse(score(1, 501, "2024-05-03T10:00:00.000Z"), by_system, status=1))


def _mastodon() -> list[Item]:
    person = mastodon(status("900"))
    server = mastodon(status("901"), account=account("4002", domain="other.example"))
    suspended = account("7001", suspended=True)
    times = {"action_taken": True, "action_taken_at": "2024-05-04T10:00:00.000Z"}
    closed = mastodon(status("900"), event="report.updated", target_account=suspended, **times)
    return _posted("mastodon", person, server, closed)


def _coop() -> list[Item]:
    action = {
        "item": {"id": "m-88", "typeId": "message"},
        "policies": [{"id": "harassment", "name": "Harassment", "penalty": "HIGH"}],
        "rules": [{"id": "r-1", "name": "Keyword"}],
        "action": {"id": "delete"},
        "custom": {},
    }
    return _posted("coop", coop(), coop(reporter={"kind": "rule", "id": "r-1"}), action)


SAMPLES: dict[str, Callable[[], list[Item]]] = {
    "Lemmy": _lemmy,
    "Coral": _coral,
    "Discourse": _discourse,
    "Mastodon": _mastodon,
    "Coop": _coop,
    "generic": lambda: _posted("generic", DOCUMENT, mapping=MAPPING),
}
