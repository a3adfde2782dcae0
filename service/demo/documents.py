"""A drawn newspaper as documents in the service's own formats, with what was planted in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from service.demo.newspaper import DAY, DAYS, HOUR, REMOVAL_COUNT, Floats, Ints, Newspaper
from service.demo.prose import account_name, comment_text, complaint_text, headline, slug

ONE_IMAGE_IN = 60  # comments: the others are words
ONE_OF_NOTICES_IN = 25  # honest readers: what they send are notices of illegal content


@dataclass
class World:
    """A drawn world: documents in the service's own formats, and what was planted."""

    complaints: list[dict[str, Any]] = field(default_factory=list)  # by occurred_at
    outcomes: list[dict[str, Any]] = field(default_factory=list)  # by decided_at
    campaign_by_account: dict[str, str] = field(default_factory=dict)
    campaign_by_target: dict[str, str] = field(default_factory=dict)
    crowd_by_target: dict[str, str] = field(default_factory=dict)  # honest crowds and groups
    group_by_account: dict[str, str] = field(default_factory=dict)  # honest groups


def to_documents(paper: Newspaper, end: float = DAYS * DAY) -> World:
    """Everything that was drawn up to `end`, as documents. Draws the ids from the same generator, so call it once."""
    account, comment, at = (
        np.concatenate([getattr(g, column) for g in paper.groups]) for column in ("account", "comment", "at")
    )
    inside = np.flatnonzero((at > 0) & (at < end))
    order = inside[np.argsort(at[inside], kind="stable")]
    account, comment, at = account[order], comment[order], at[order]
    pairs = np.unique(account * len(paper.article) + comment, return_index=True)[1]  # a reader flags a comment once
    kept = np.sort(pairs)
    account, comment, at = account[kept], comment[kept], at[kept]
    np.minimum.at(paper.born, account, at - HOUR)  # nobody complains before having an account
    names = _Names(paper.rng, len(paper.born), len(paper.article), len(paper.popularity), int(paper.author.max()) + 1)
    return World(
        complaints=list(_complaint_documents(paper, names, account, comment, at)),
        outcomes=_outcome_documents(paper, names, comment, at, end),
        campaign_by_account={names.account(k): name for k, name in paper.campaign_of_account.items()},
        campaign_by_target={names.comment(k): name for k, name in paper.campaign_of_comment.items()},
        crowd_by_target={
            names.comment(k): name for k, name in (paper.crowd_of_comment | paper.group_of_comment).items()
        },
        group_by_account={names.account(k): name for k, name in paper.group_of_account.items()},
    )


def with_notices(world: World) -> World:
    """The same world, in which a few percent of the complaints are notices of illegal content.

    By the reader, so that some of them sent several that were rejected. Nobody in a campaign or a group did: a notice
    always counts in full, and what the world shows of campaigns stays as it is.
    """
    for document in world.complaints:
        reader = document["reporter"]["id"]
        in_a_group = reader in world.campaign_by_account or reader in world.group_by_account
        if int(reader[1:]) // 37 % ONE_OF_NOTICES_IN == 0 and not in_a_group:
            document["notice_type"] = "illegal_content"
    return world


def _complaint_documents(
    paper: Newspaper, names: _Names, account: Ints, comment: Ints, at: Floats
) -> Iterator[dict[str, Any]]:
    rng = paper.rng
    reasons = rng.choice(["insult", "hate", "spam", "off-topic", "false claim"], len(at), p=[0.35, 0.2, 0.2, 0.15, 0.1])
    number = rng.permutation(len(at)) + 100_000
    for k, (who, what, when) in enumerate(zip(account.tolist(), comment.tolist(), at.tolist(), strict=True)):
        article = int(paper.article[what])
        reporter = {
            "id": names.account(who),
            "account_created_at": _stamp(paper, paper.born[who]),
            "fingerprint": f"fp-{int(paper.device[who]):011x}",
        }
        target = {
            "id": names.comment(what),
            "kind": "comment",
            "author_id": names.author(int(paper.author[what])),
            "context_id": names.article(article),
            "context_title": names.headline(article),
            "context_url": names.article_url(article),
            "url": names.comment_url(what, article),
            "excerpt": comment_text(what, bool(paper.breaks_rules[what])),
            "attributes": {"is_reply": bool(paper.reply[what])},
        }
        document: dict[str, Any] = {
            "id": f"flag-{number[k]}",
            "occurred_at": _stamp(paper, when),
            "reporter": reporter,
            "target": target,
            "reason": str(reasons[k]),
        }
        if text := complaint_text(int(number[k])):
            document["text"] = text
        yield document


def _outcome_documents(paper: Newspaper, names: _Names, comment: Ints, at: Floats, end: float) -> list[dict[str, Any]]:
    """Automatic removals at once; later the rulings of moderators, on about 60 % of the reported comments, and on fewer
    of those that were removed automatically.
    """
    rng = paper.rng
    order = np.argsort(comment, kind="stable")
    found: list[tuple[float, dict[str, Any]]] = []
    for block in np.split(order, np.flatnonzero(np.diff(comment[order])) + 1):
        what, times = int(comment[block[0]]), at[block]
        by_count = len(times) >= REMOVAL_COUNT
        if by_count:
            found.append(
                (
                    float(times[REMOVAL_COUNT - 1]) + 1,
                    {"target_id": names.comment(what), "action": "removed", "decided_by": "automatic"},
                )
            )
        if rng.random() < _reviewed(paper, what, by_count):
            breaks_rules = bool(rng.random() < 0.03) != bool(paper.breaks_rules[what])
            action = "removed" if breaks_rules else "restored" if by_count else "kept"
            when = float(times[min(len(times), REMOVAL_COUNT) - 1]) + rng.lognormal(np.log(8 * HOUR), 0.8)
            found.append(
                (
                    when,
                    {
                        "target_id": names.comment(what),
                        "verdict": "upheld" if breaks_rules else "rejected",
                        "action": action,
                        "decided_by": "person",
                    },
                )
            )
    inside = sorted((pair for pair in found if pair[0] < end), key=lambda pair: pair[0])
    return [
        {"id": f"decision-{50_000 + k}", **document, "decided_at": _stamp(paper, when)}
        for k, (when, document) in enumerate(inside)
    ]


def _reviewed(paper: Newspaper, comment: int, by_count: bool) -> float:
    """The probability that moderators review the comment."""
    if comment in paper.group_of_comment:
        return 0.2
    if by_count and comment in paper.campaign_of_comment:
        return 0.35
    return 0.85 if comment in paper.crowd_of_comment else 0.6


def _stamp(paper: Newspaper, seconds: float) -> str:
    return (paper.start + timedelta(seconds=float(seconds))).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Names:
    """Ids that reveal neither the order of arrival nor who belongs to what."""

    def __init__(self, rng: np.random.Generator, accounts: int, comments: int, articles: int, authors: int) -> None:
        self._account, self._comment = rng.permutation(accounts), rng.permutation(comments)
        self._article, self._author = rng.permutation(articles), rng.permutation(authors)

    def account(self, k: int) -> str:
        return f"u{1_000_000 + 37 * int(self._account[k])}"

    def comment(self, k: int) -> str:
        return f"comment-{48_000_000 + 11 * int(self._comment[k])}"

    def article(self, k: int) -> str:
        return slug(int(self._article[k]))

    def headline(self, k: int) -> str:
        return headline(int(self._article[k]))

    def article_url(self, k: int) -> str:
        return f"https://news.example/articles/{self.article(k)}"

    def comment_url(self, k: int, article: int) -> str:
        if int(self._comment[k]) % ONE_IMAGE_IN == 0:
            return f"https://news.example/uploads/{self.comment(k)}.jpg"
        return f"{self.article_url(article)}#{self.comment(k)}"

    def author(self, k: int) -> str:
        return account_name(int(self._author[k]))
