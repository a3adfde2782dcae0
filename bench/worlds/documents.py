"""From columns to the documents of the service's formats, and to the truth."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from bench.worlds.decisions import Decision, decide
from bench.worlds.ledger import Columns, Ledger
from bench.worlds.names import Names
from bench.worlds.wording import QUOTES, REASONS, Words
from bench.worlds.world import THRESHOLD, Campaign, JsonObject, Truth, World, honest_counts, stamp

RULE_QUOTER = "rule quoter"


def world_of(ledger: Ledger, generator: str) -> World:
    """The world of what has been filed. Decisions have a random stream of their own."""
    columns = ledger.columns()
    most = int(ledger.author.max()), int(ledger.context.max())
    names = Names(ledger.rng, len(ledger.created), len(ledger.written), *most, ledger.writers)
    ledger.label(np.flatnonzero(ledger.habit == QUOTES), RULE_QUOTER)
    complaints = complaint_documents(ledger, columns, names, Words(ledger.rng))
    outcomes: list[JsonObject] = []
    if ledger.wanted.outcomes:
        decisions = np.random.default_rng([ledger.wanted.seed, 1])
        outcomes = outcome_documents(decide(decisions, ledger.community, columns, ledger.breaks), names)
    return World(generator, ledger.wanted, complaints, outcomes, truth_of(ledger, columns, names, complaints))


def complaint_documents(ledger: Ledger, columns: Columns, names: Names, words: Words) -> list[JsonObject]:
    """The complaints as documents, by time."""
    rng, community = ledger.rng, ledger.community
    reasons = rng.integers(0, len(REASONS), len(columns.at))
    documents = []
    for k, (account, item, at) in enumerate(
        zip(columns.account.tolist(), columns.item.tolist(), columns.at.tolist(), strict=True)
    ):
        reporter: JsonObject = {"id": names.account(account)}
        if community.knows_age:
            reporter["account_created_at"] = stamp(min(float(ledger.created[account]), at - 60))
        if community.knows_device:
            reporter["fingerprint"] = names.device(int(ledger.device[account]))
        if account in ledger.trusted:
            reporter["trusted"] = True
        target: JsonObject = {
            "id": names.item(item),
            "kind": "comment",
            "author_id": names.author(int(ledger.author[item])),
            "attributes": {"is_reply": bool(ledger.reply[item])},
        }
        if community.knows_context:
            target["context_id"] = names.context(int(ledger.context[item]))
        document: JsonObject = {
            "id": f"c{k + 1}",
            "occurred_at": stamp(at),
            "reporter": reporter,
            "target": target,
            "reason": columns.reason[k] or REASONS[int(reasons[k])],
        }
        text = columns.text[k] or words.text(int(ledger.habit[account]), int(ledger.language[item]))
        if text:
            document["text"] = text
        documents.append(document)
    return documents


def outcome_documents(decisions: list[Decision], names: Names) -> list[JsonObject]:
    """The decisions as documents, in their order."""
    documents = []
    for k, decision in enumerate(decisions, 1):
        document: JsonObject = {
            "id": f"d{k}",
            "target_id": names.item(decision.item),
            "decided_at": stamp(decision.at),
            "action": decision.action,
            "decided_by": decision.decided_by,
        }
        if decision.verdict is not None:
            document["verdict"] = decision.verdict
        documents.append(document)
    return documents


def truth_of(ledger: Ledger, columns: Columns, names: Names, complaints: list[JsonObject]) -> Truth:
    """The truth about what was filed; a member of two campaigns carries the name of the first."""
    members: dict[str, set[str]] = defaultdict(set)
    targets: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, str] = {}
    for account, item, campaign in zip(columns.account.tolist(), columns.item.tolist(), columns.campaign, strict=True):
        if campaign:
            members[campaign].add(names.account(account))
            targets[campaign].add(names.item(item))
            kinds.setdefault(names.account(account), campaign)
    for account in columns.account.tolist():
        kinds.setdefault(names.account(account), ledger.kind[account])
    campaigns = {
        name: Campaign(ledger.kind_of_campaign[name], tuple(sorted(members[name])), tuple(sorted(targets[name])))
        for name in sorted(members)
    }
    everybody = frozenset().union(*members.values()) if members else frozenset[str]()
    honest = honest_counts(complaints, everybody)
    return Truth(
        dict(sorted(kinds.items())),
        campaigns,
        {names.item(item): bool(ledger.breaks[item]) for item in sorted(set(columns.item.tolist()))},
        frozenset(target for target, count in honest.items() if count >= THRESHOLD),
    )
