"""What the adversaries' worlds promise about the groups that are laid into them."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from bench.detection_adversaries import EVASIONS, ORDER, _lines_through_points


def test_no_two_accounts_of_a_block_design_share_two_targets() -> None:
    together = Counter(pair for accounts in _lines_through_points() for pair in combinations(sorted(accounts), 2))
    assert max(together.values()) == 1


def test_a_block_design_brings_the_threshold_to_every_target_and_uses_all_its_accounts() -> None:
    lines = _lines_through_points()
    assert [len(set(accounts)) for accounts in lines] == [ORDER + 1] * ORDER**2
    complaints = Counter(account for accounts in lines for account in accounts)
    assert complaints == dict.fromkeys(range(EVASIONS["block-many"].accounts), ORDER)
    assert len(lines) == EVASIONS["block-many"].targets
