"""What the sentences about a group claim is counted again from its complaints, in worlds with all kinds of groups."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest
from flow import audited, told, world_of
from worlds import document, draw_town

from service.moderation.cluster_state import ClusterState

HOUR_US = 3_600_000_000
WHO = re.compile(
    r"(?P<members>[\d,]+) accounts complained about"
    r" (?:one target|(?P<same>the same )?(?P<targets>[\d,]+) targets(?:, (?P<each>[\d.]+) each on average)?);"
)
COUNTED = re.compile(r"([\d,]+) of (the )?([\d,]+) (targets|accounts|members)( measured)?")


def worst_hour(state: ClusterState) -> int:
    """The most members who complained within one hour."""
    filed = sorted((m.time_us, m.reporter) for m in state.counted)
    most, start = 0, 0
    for end in range(len(filed)):
        while filed[end][0] - filed[start][0] > HOUR_US:
            start += 1
        most = max(most, len({reporter for _, reporter in filed[start : end + 1]}))
    return most


def check_summary(state: ClusterState) -> None:
    found = WHO.match(state.summary)
    assert found is not None, state.summary
    members, targets = len(state.members), len(state.author_by_target)
    hit: dict[int, set[int]] = defaultdict(set)
    for m in state.counted:
        hit[m.reporter].add(m.target)
    assert int(found["members"].replace(",", "")) == members
    assert int((found["targets"] or "1").replace(",", "")) == targets
    complaints = sum(len(mine) for mine in hit.values())
    if found["same"]:
        assert complaints == members * targets, f"{complaints} complaints of {members * targets} possible"
    if found["each"]:
        assert 0 <= complaints / len(hit) - float(found["each"]) < 0.1 and complaints < members * targets
    for count, measured, total, noun, _ in COUNTED.findall(state.summary[found.end() :]):
        assert int(count) <= int(total)
        if (
            noun == "targets"
            and not measured
            and "reviewed" not in state.summary.split(f"{count} of {total}", 1)[1][:24]
        ):
            assert int(total) == targets, state.summary
    if (hour := re.search(r"up to ([\d,]+) within one hour", state.summary)) is not None:
        assert int(hour[1].replace(",", "")) <= worst_hour(state)


def check_evidence(state: ClusterState) -> None:
    authors = Counter(a for a in state.author_by_target.values() if a)
    for e in state.evidence:
        for count, _, total, noun, _ in COUNTED.findall(e.text):
            whole = len(state.author_by_target if noun == "targets" else state.members)
            assert int(count) <= int(total) <= whole, e.text
            if e.signal.startswith("aim_") or e.signal in ("one_author", "fresh_accounts", "shared_fingerprints"):
                assert int(count) / int(total) == pytest.approx(e.value), e.text
        if e.signal == "one_author" and "by one author" in e.text and "No two" not in e.text:
            claimed = int(e.text.split(" of ")[0])
            assert claimed == max(authors.values()), e.text
        if e.signal == "outcomes" and (left := re.search(r"(\d+) of (\d+) targets are not reviewed yet", e.text)):
            reviewed = re.search(r"(?:of|all) (\d+) targets reviewed|the one target reviewed", e.text)
            known = 0 if reviewed is None else int(reviewed[1] or 1)
            assert int(left[2]) == len(state.author_by_target) == known + int(left[1]), e.text


@pytest.mark.parametrize("seed", [5, 8])
def test_sentences_claim_only_what_is_so_in_the_demos_worlds(seed: int) -> None:
    states, _ = audited(told(world_of(seed, 6_000)))
    flagged = [s for s in states if s.disposition in ("flagged", "reliable")]
    assert len(flagged) >= 4
    for state in flagged:
        check_summary(state)
        check_evidence(state)


def test_sentences_claim_only_what_is_so_about_small_brigades() -> None:
    for seed in range(3):
        states, _ = audited([document(r) for r in draw_town(seed, brigades=2).rows])
        for state in states:
            if state.disposition == "flagged":
                check_summary(state)
                check_evidence(state)
