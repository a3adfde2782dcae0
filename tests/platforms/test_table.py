"""What arrives in this run, from a real Ozone and from fixtures, is what the table declares."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from platforms.fixtures import SAMPLES
from platforms.ozone_process import RealOzone, account, post
from platforms.table import ROW_BY_PLATFORM, arrived

from service.model import JsonObject
from service.platforms.items import Item
from service.platforms.ozone import Ozone


@pytest.mark.parametrize("platform", sorted(SAMPLES))
def test_what_arrives_by_fixtures(platform: str, seen: dict[str, Counter[str]]) -> None:
    seen[platform] = arrived(SAMPLES[platform]())
    assert set(seen[platform]) == ROW_BY_PLATFORM[platform].arrives


def test_what_arrives_from_a_real_ozone(ozone: RealOzone, seen: dict[str, Counter[str]]) -> None:
    reader, author = ozone.person(), ozone.person()
    for number in range(3):
        ozone.report(reader, post(author, str(number)))
    ozone.report(reader, account(author), modTool={"name": "scanner", "meta": {"isAutomated": True}})
    ozone.emit("modEventLabel", post(author, "0"), createLabelVals=["spam"], negateLabelVals=[])
    ozone.emit("modEventLabel", post(author, "0"), createLabelVals=[], negateLabelVals=["spam"])
    ozone.route()
    ozone.call("tools.ozone.report.closeReports", {"subject": post(author, "1")["uri"], "isAutomated": True})
    seen["Ozone"] = arrived(everything(ozone))
    assert set(seen["Ozone"]) == ROW_BY_PLATFORM["Ozone"].arrives
    assert ozone.version == ROW_BY_PLATFORM["Ozone"].version


def everything(ozone: RealOzone) -> list[Item]:
    """All items of a poll from the beginning."""
    poller, now = Ozone(), datetime.now(UTC)
    cursor: JsonObject = {}
    found: list[Item] = []
    headers = {"Authorization": poller.authorization(ozone.secret)}
    while (ask := poller.ask(cursor, now)) is not None:
        answer = ozone.control.get(ozone.url + ask.path, params=list(ask.query), headers=headers).raise_for_status()
        taken = poller.read(cursor, ask, answer.json(), now)
        found += taken.listing.items
        cursor = taken.cursor
    return found
