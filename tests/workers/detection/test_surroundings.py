"""What is usual is measured on everybody but the group: new accounts, shared devices, wordings, and the pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from worlds import DAY, HOUR, Row, columns

from service.intake.text_fingerprints import slots_of
from service.moderation.signals import fresh_accounts, near_duplicate_texts, pace, shared_fingerprints, span
from service.moderation.signals.signal import GroupFacts
from service.policy import DEFAULT_POLICY
from workers.detection import fingerprint_users, surroundings
from workers.detection.arrays import Ints
from workers.detection.fingerprint_users import FingerprintUsers
from workers.detection.group_view import WindowView, complaints_of
from workers.detection.surroundings import Surroundings
from workers.detection.window import Window

POLICY = DEFAULT_POLICY
RULE = "this comment breaks rule one of the house be civil to others"
CALL = "please take down the lies that this paid account keeps posting here"


def window_of(rows: Sequence[Row]) -> Window:
    window = Window(POLICY.window_seconds * 1000, tuple(s * 1000 for s in POLICY.lag_scales))
    window.append(columns([replace(row, seq=k) for k, row in enumerate(sorted(rows, key=lambda r: r.at), 1)]))
    return window


def view_of(window: Window, people: Sequence[int], targets: Sequence[int]) -> WindowView:
    who = np.sort(window.reporters.find(np.array(people))).astype(np.int64)
    what = np.sort(window.targets.find(np.array(targets))).astype(np.int64)
    return WindowView(window, who, what, complaints_of(window, who, what), POLICY, Surroundings(window, POLICY))


def town(size: int, text: str | None = None, quoting: float = 0.0) -> list[Row]:
    """Complaints of as many people about other targets than the group's; a share of them quotes the text."""
    return [
        Row(
            0,
            1_000 + k,
            5_000 + k // 3,
            k * 600.0,
            context=6_000 + k // 9,
            text=text if k < quoting * size else words(k),
        )
        for k in range(size)
    ]


def words(k: int) -> str:
    rng = np.random.default_rng(k)
    return " ".join(f"w{rng.integers(4_000)}" for _ in range(12))


def group(people: range, text: str | None = None, created: float | None = None, fingerprint: int = 0) -> list[Row]:
    return [
        Row(0, who, target, DAY * (1 + target) + 60 * k, 100 + target, 0, created, fingerprint, text=text)
        for target in range(3)
        for k, who in enumerate(people)
    ]


def copies(rows: Sequence[Row]) -> float | None:
    return near_duplicate_texts.measure(view_of(window_of(rows), range(1, 13), range(3))).p_value


def test_a_wording_that_most_people_quote_says_nothing_and_one_that_only_the_group_uses_does() -> None:
    quoted = copies([*group(range(1, 13), RULE), *town(300, RULE, quoting=0.6)])
    own = copies([*group(range(1, 13), CALL), *town(300, RULE, quoting=0.6)])
    assert quoted is not None and quoted > 0.5
    assert own is not None and own < 1e-6


def test_six_sock_puppets_cannot_make_a_wording_usual() -> None:
    puppets = [Row(0, 900 + k, 9_000 + k, k * DAY, 9_000 + k, text=CALL) for k in range(6)]
    laundered = copies([*group(range(1, 13), CALL), *town(300), *puppets])
    assert laundered is not None and laundered < 1e-6
    same = [replace(puppets[k % 6], target=9_100 + k) for k in range(600)]
    again = copies([*group(range(1, 13), CALL), *town(300), *same])
    assert again == pytest.approx(laundered), "a hundred complaints each are no more than one voice each"
    own = [replace(row, target=k % 3) for k, row in enumerate(puppets * 30)]
    alone = copies([*group(range(1, 13), CALL), *town(300)])
    assert copies([*group(range(1, 13), CALL), *town(300), *own]) == pytest.approx(alone)


def test_the_share_of_a_wording_is_among_other_people_with_a_prior() -> None:
    window = window_of([*group(range(1, 13), RULE), *town(100, RULE, quoting=0.3)])
    view = view_of(window, range(1, 13), range(3))
    (share,) = view.surroundings.wording_beside(slots_of(view.longer_texts[:1]), view.who, view.what)
    assert share == pytest.approx((30 + 1) / (100 + 20))


def test_new_accounts_of_the_group_are_not_what_is_usual() -> None:
    old = [replace(row, created=-400 * DAY) for row in town(60)]
    young = [replace(row, reporter=row.reporter + 500, created=row.at - 2 * DAY) for row in town(20)]
    just_now = [replace(row, reporter=row.reporter + 700, created=row.at - 60) for row in town(20)]
    window = window_of([*group(range(1, 31), created=0.0), *old, *young, *just_now])
    view = view_of(window, range(1, 31), range(3))
    assert view.usual_fresh == pytest.approx((40 + 1) / (100 + 20))
    assert view.usual_prepared == pytest.approx((20 + 1) / (100 + 20))
    assert fresh_accounts.measure(view).count == 30


def test_accounts_of_unknown_age_count_on_neither_side() -> None:
    window = window_of([*group(range(1, 5)), *town(40)])
    view = view_of(window, range(1, 5), range(3))
    assert (view.usual_fresh, fresh_accounts.measure(view).total) == (1 / 20, 0)


def test_who_registers_in_order_to_complain_is_no_waiting_account() -> None:
    hour = np.array([59 * 60_000, 6 * 3_600_000, 13 * 86_400_000, 14 * 86_400_000])
    assert fresh_accounts.is_prepared(hour, POLICY.fresh_account_seconds * 1000).tolist() == [False, True, True, False]


def test_shared_devices_are_compared_with_those_on_other_targets() -> None:
    pairs = [replace(row, fingerprint=70_000 + k // 2 if k < 30 else 80_000 + k) for k, row in enumerate(town(90))]
    window = window_of([*group(range(1, 9), fingerprint=0), *pairs])
    view = view_of(window, range(1, 9), range(3))
    # three complaints a target: of every two targets, two pairs are on one target
    assert view.usual_sharing == pytest.approx((20 + 1) / (90 + 20))
    assert shared_fingerprints.measure(view).value == 0


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_who_shares_a_device_does_not_depend_on_how_many_are_compared_at_a_time(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "AT_ONCE", at_once)
    rows = [replace(row, fingerprint=row.reporter % 2) for row in town(90)]
    window = window_of(rows)
    by_target: dict[int, list[int]] = {}
    for row in rows:
        if row.fingerprint:
            by_target.setdefault(row.target, []).append(row.fingerprint)
    sharing = sum(prints.count(one) > 1 for prints in by_target.values() for one in prints)
    total = sum(map(len, by_target.values()))
    assert sharing and sharing < total
    found = Surroundings(window, DEFAULT_POLICY).sharing_beside(np.empty(0, np.int64))
    assert found == (sharing + surroundings.PRIOR_HITS) / (total + surroundings.PRIOR_TOTAL)


def test_a_fingerprint_of_more_accounts_than_a_household_has_is_no_shared_device() -> None:
    for members, rare in ((8, True), (9, False)):
        window = window_of([*group(range(1, members + 1), fingerprint=77), *town(60)])
        found = shared_fingerprints.measure(view_of(window, range(1, members + 1), range(3)))
        assert (found.count == members) is rare


def test_the_pace_is_the_median_time_from_member_to_member_beside_that_of_all_complaints() -> None:
    window = window_of([*group(range(1, 6)), *town(90)])
    found = pace.measure(view_of(window, range(1, 6), range(3)))
    assert found.value == 60
    gaps = [60] * 12 + [600] * 60
    assert found.usual == np.median(gaps)
    assert pace.factors(found) == pytest.approx(1)
    assert pace.SIGNAL.sentence(found, GroupFacts("repeat", 5, 3, "given")) == (
        "Half of the time, the next member complained about the same target within 1 min; between one"
        " complaint on a target and the next it is usually 10 min."
    )


def test_a_pace_counts_two_powers_of_ten_at_most() -> None:
    assert pace.factors(replace(FOUND, value=1.0, usual=1e6)) == 2
    assert pace.factors(replace(FOUND, value=1e6, usual=1.0)) == -2


FOUND = fresh_accounts.share_of(1, 2, 0.5, 0.5)


def test_an_evening_in_five_articles_is_one_occasion() -> None:
    evening = [Row(0, who, who * 10 + k, DAY + k * HOUR, context=k) for who in range(1, 4) for k in range(5)]
    window = window_of(evening)
    targets = [row.target for row in evening]
    assert span.SIGNAL.measure is not None
    assert span.SIGNAL.measure(view_of(window, range(1, 4), targets)).value == 0
    later = Row(0, 1, 99, DAY + 6 * HOUR, context=50)
    assert span.SIGNAL.measure(view_of(window_of([*evening, later]), range(1, 4), [*targets, 99])).value == 1 / 3
    again = replace(later, target=98, reporter=2, context=0)  # in a context of that evening, but after another one
    both = view_of(window_of([*evening, later, again]), range(1, 4), [*targets, 98, 99])
    assert span.SIGNAL.measure(both).value == 2 / 3


def test_two_complaints_in_different_contexts_hours_apart_are_found_as_by_comparing_all() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        size = int(rng.integers(1, 14))
        who, where = rng.integers(0, 4, size), rng.integers(0, 3, size)
        time_ms = rng.integers(0, 20, size) * 3_600_000

        def apart(person: int, who: Ints = who, where: Ints = where, time_ms: Ints = time_ms) -> bool:
            mine = np.flatnonzero(who == person)
            return any(
                where[a] != where[b] and abs(time_ms[a] - time_ms[b]) >= span.OCCASION_MS for a in mine for b in mine
            )

        assert span._returned(who, where, time_ms).tolist() == [apart(p) for p in np.unique(who).tolist()]


def test_what_is_usual_may_be_asked_for_after_complaints_have_left_the_window() -> None:
    """The columns move when the window is compacted: places found before that are other complaints, or none."""
    early = [Row(0, 10 + k, 7_000 + k, k * 60.0, 8_000 + k, text=words(k)) for k in range(3_000)]
    late = [replace(row, at=row.at + 20 * DAY) for row in [*group(range(1, 13), RULE), *town(300, RULE, quoting=0.3)]]
    window = window_of(early)
    around = Surroundings(window, POLICY)
    window.append(columns([replace(row, seq=10_000 + k) for k, row in enumerate(sorted(late, key=lambda r: r.at))]))
    view = replace(view_of(window, range(1, 13), range(3)), surroundings=around)
    measured = near_duplicate_texts.measure(view), fresh_accounts.measure(view), pace.measure(view)
    afresh = view_of(window, range(1, 13), range(3))
    assert measured == (near_duplicate_texts.measure(afresh), fresh_accounts.measure(afresh), pace.measure(afresh))


@pytest.mark.parametrize("scans", [0, 5, 64])
def test_the_accounts_of_a_fingerprint_are_counted_alike_however_often_and_whenever_is_asked(
    scans: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint_users, "SCANS", scans)
    rng = np.random.default_rng(1)
    window = window_of(
        [
            Row(0, int(rng.integers(40)), k, k * 60.0, fingerprint=int(rng.integers(-3, 9)))
            for k, _ in enumerate(range(400), 1)
        ]
    )
    users = FingerprintUsers(window)
    for _ in range(3):
        rows = ~window.gone[: window.size]
        for fingerprint in [*range(-4, 0), *range(1, 11)] * 2:
            used = rows & (window.fingerprint[: window.size] == fingerprint)
            assert users.count(fingerprint) == len(set(window.reporter[: window.size][used].tolist())), fingerprint
        window.remove(rng.choice(400, 60) + 1)
