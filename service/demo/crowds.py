"""Honest crowds, which must not be flagged: outrage at a viral comment, a volunteer patrol, one popular article."""

from __future__ import annotations

import numpy as np

from service.demo.newspaper import DAY, DAYS, HOUR, Ints, Newspaper


def draw_honest_crowds(paper: Newspaper) -> None:
    """Add three outrages, three evenings of the same ten volunteers, and one popular article."""
    patrol = paper.new_accounts(10, fresh_before=None, fresh=0, devices=0)
    for crowd in (0, 1, 2):
        _draw_viral_outrage(paper, crowd)
        _draw_patrol(paper, crowd, patrol)
    _draw_popular_article(paper)


def _evening(paper: Newspaper, index: int) -> float:
    return float((3 + 8 * index + paper.rng.integers(0, 4)) * DAY + paper.rng.uniform(17, 21) * HOUR)


def _fresh_comments(paper: Newspaper, at: float, count: int) -> Ints:
    """Distinct comments of the 36 hours before `at` that no other crowd or campaign uses."""
    age = at - paper.written
    taken = np.array([*paper.campaign_of_comment, *paper.crowd_of_comment], int)
    free = np.setdiff1d(np.flatnonzero((age > 0) & (age < 1.5 * DAY)), taken)
    return paper.rng.choice(free, min(count, len(free)), replace=False)


def _draw_viral_outrage(paper: Newspaper, index: int) -> None:
    rng, began = paper.rng, _evening(paper, index)
    comment = _fresh_comments(paper, began, 1)
    readers = np.unique(
        rng.choice(
            paper.readers,
            int(rng.integers(150, 350)),
            p=paper.activity[: paper.readers] / paper.activity[: paper.readers].sum(),
        )
    )
    paper.add(readers, np.full(len(readers), comment[0]), began + rng.gamma(1.5, 1_500, len(readers)))
    paper.crowd_of_comment[int(comment[0])] = "viral outrage"
    paper.breaks_rules[comment] = index != 2


def _draw_patrol(paper: Newspaper, index: int, patrol: Ints) -> None:
    rng, began = paper.rng, _evening(paper, index)
    spam = _fresh_comments(paper, began, 30)
    paper.author[spam] = paper.author.max() + 1 + rng.integers(0, 4, len(spam))
    paper.breaks_rules[spam] = rng.random(len(spam)) < 0.97
    for comment in spam:
        who = patrol[rng.random(10) < 0.7]
        paper.add(who, np.full(len(who), comment), began + rng.uniform(0, 5_400) + rng.exponential(400, len(who)))
        paper.crowd_of_comment[int(comment)] = "patrol"


def _draw_popular_article(paper: Newspaper) -> None:
    rng = paper.rng
    big = np.flatnonzero(
        (paper.published > 2 * DAY) & (paper.published < (DAYS - 4) * DAY) & (np.diff(paper.first) > 25)
    )
    article = int(rng.choice(big)) if len(big) else int(np.diff(paper.first).argmax())
    here = np.arange(paper.first[article], paper.first[article + 1])
    comments = rng.choice(here, min(40, len(here)), replace=False)
    weight = rng.pareto(1.2, len(comments)) + 0.2
    for reader in np.unique(paper.pick_readers(np.full(220, paper.article_topic[article]))):
        picked = rng.choice(
            comments, min(len(comments), int(rng.integers(2, 6))), replace=False, p=weight / weight.sum()
        )
        at = paper.published[article] + rng.lognormal(np.log(5 * HOUR), 0.8)
        paper.add(
            np.full(len(picked), reader),
            picked,
            np.maximum(at, paper.written[picked] + 30) + rng.exponential(90, len(picked)),
        )
    paper.crowd_of_comment |= {int(c): "popular article" for c in comments if int(c) not in paper.crowd_of_comment}
