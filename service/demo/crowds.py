"""Honest crowds, which must not be flagged: outrage at a viral comment, a volunteer patrol, one popular article.

The demo's large worlds have three more groups, which do act together, honestly, and which moderators have hardly
reviewed: whether one is a brigade is for a person to say.
"""

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


def draw_honest_groups(paper: Newspaper) -> None:
    """Add readers who watch one offender, helpers who share links in a chat, and a school class behind one address."""
    _draw_offenders_readers(paper)
    _draw_helpers_chat(paper)
    _draw_school_class(paper)


def _draw_offenders_readers(paper: Newspaper) -> None:
    rng, people = paper.rng, paper.new_accounts(12, fresh_before=None, fresh=0, devices=0)
    posts = _fresh_comments_between(paper, 4 * DAY, (DAYS - 4) * DAY, 14)
    paper.author[posts] = paper.author.max() + 1
    paper.breaks_rules[posts] = rng.random(len(posts)) < 0.92
    for comment in posts:
        _report(
            paper, "readers of one offender", people, comment, share=0.6, since=paper.written[comment], mean=8 * HOUR
        )


def _draw_helpers_chat(paper: Newspaper) -> None:
    rng, people = paper.rng, paper.new_accounts(20, fresh_before=None, fresh=0, devices=0)
    for comment in _fresh_comments_between(paper, 2 * DAY, (DAYS - 2) * DAY, 12):
        paper.breaks_rules[comment] = rng.random() < 0.87
        linked = paper.written[comment] + rng.exponential(3 * HOUR)
        _report(paper, "helpers' chat", people, comment, share=rng.uniform(0.4, 0.65), since=linked, mean=HOUR / 2)


def _draw_school_class(paper: Newspaper) -> None:
    rng = paper.rng
    pupils = paper.new_accounts(22, fresh_before=None, fresh=0, devices=0)
    paper.device[pupils[rng.random(len(pupils)) < 0.8]] = paper.device[pupils[0]]
    first = int(rng.integers(4, DAYS - 8))
    for day in range(first, first + 3):
        for comment in _fresh_comments(paper, day * DAY + 11 * HOUR, 3):
            paper.breaks_rules[comment] = rng.random() < 0.6
            pause = day * DAY + 11.4 * HOUR
            _report(paper, "school class", pupils, comment, share=rng.uniform(0.2, 0.5), since=pause, mean=HOUR / 6)


def _report(
    paper: Newspaper, crowd: str, people: Ints, comment: int, *, share: float, since: float, mean: float
) -> None:
    who = people[paper.rng.random(len(people)) < share]
    paper.add(who, np.full(len(who), comment), since + paper.rng.exponential(mean, len(who)))
    paper.group_of_account |= {int(person): crowd for person in people}
    paper.group_of_comment[int(comment)] = crowd


def _fresh_comments_between(paper: Newspaper, since: float, until: float, count: int) -> Ints:
    """Distinct comments of the time that no crowd or campaign uses, in the order in which they were written."""
    free = np.setdiff1d(np.flatnonzero((paper.written > since) & (paper.written < until)), paper.taken())
    chosen = paper.rng.choice(free, min(count, len(free)), replace=False)
    return chosen[np.argsort(paper.written[chosen])]


def _evening(paper: Newspaper, index: int) -> float:
    return float((3 + 8 * index + paper.rng.integers(0, 4)) * DAY + paper.rng.uniform(17, 21) * HOUR)


def _fresh_comments(paper: Newspaper, at: float, count: int) -> Ints:
    """Distinct comments of the 36 hours before `at` that no other crowd or campaign uses."""
    age = at - paper.written
    free = np.setdiff1d(np.flatnonzero((age > 0) & (age < 1.5 * DAY)), paper.taken())
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
