"""What a decision about a case would do, in words: for the decision panel, before anything is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import Connection

from service.console.case_tables import TEXTS_READ
from service.console.decision_form import DecisionForm
from service.console.text_groups import complaint_text, text_groups
from service.errors import Refused
from service.model import DecisionRequest, JsonObject, ReasonCode, microseconds
from service.moderation.cluster_state import Membership
from service.moderation.decision_preview import Effect, sentence
from service.moderation.rescoring import Rescored, rescore_without
from service.moderation.signals.signal import MemberComplaint
from service.storage.cases.case_files import CaseFile, complaints_by_seq, complaints_elsewhere, states_on, tallies_of
from service.storage.cases.decision_preview import effects_of_choices
from service.storage.sql.hashing import key_of


@dataclass(frozen=True, slots=True)
class DecisionEffects:
    """The effect of each decision, as text."""

    by_verdict: Mapping[str, str]
    chosen: str | None  # effect of the current choice, including exclusions
    refused: str | None  # why the current choice would be refused
    rescored: Rescored | None  # without the accounts selected for exclusion


def decision_effects(
    connection: Connection, tenant_id: int, file: CaseFile, form: DecisionForm, *, now: datetime
) -> DecisionEffects:
    """The effect of both verdicts and of the current choice; with exclusions, the score of the remaining group."""
    version = file.cluster.version
    choices = ("coordinated", "not_coordinated")
    reason = form.reason_code if form.reason_code in get_args(ReasonCode) else ""
    requests = [DecisionForm(verdict, reason).request(version, now) for verdict in choices]
    refused = chosen = None
    if file.cluster.disposition == "merged":
        return DecisionEffects({}, None, None, None)
    states = states_on(connection, tenant_id, file)
    found: Sequence[Effect]
    if form.verdict:
        try:
            requested = form.request(version, now)
            found = effects_of_choices(
                connection,
                tenant_id,
                [file.cluster.id],
                [{file.cluster.id: one} for one in (*requests, requested)],
                now=now,
                states=states,
            )
            chosen = sentence(found[2])
        except Refused as error:
            refused = str(error)
    if chosen is None:
        found = effects_of_choices(
            connection,
            tenant_id,
            [file.cluster.id],
            [{file.cluster.id: one} for one in requests],
            now=now,
            states=states,
        )
    return DecisionEffects(
        {verdict: sentence(effect) for verdict, effect in zip(choices, found, strict=False)},
        chosen,
        refused,
        rescored_without(connection, tenant_id, file, form.excluded),
    )


def effect_sentence(
    connection: Connection, tenant_id: int, cluster_id: str, request: DecisionRequest, *, now: datetime
) -> str:
    """The decision's effect in one sentence. Raises NotFound and Refused."""
    return sentence(effects_of_choices(connection, tenant_id, [cluster_id], [{cluster_id: request}], now=now)[0])


def rescored_without(
    connection: Connection, tenant_id: int, file: CaseFile, excluded: Sequence[str]
) -> Rescored | None:
    """The estimated score without the excluded accounts; None if none of them is a member."""
    left_out = {key_of(name) for name in excluded} & file.state.members
    if not left_out:
        return None
    filed = [m for m in file.filed if m.reporter in file.state.members]
    contents = complaints_by_seq(connection, tenant_id, [m.seq for m in filed])
    signatures: dict[str, bytes | None] = {}
    long_texts = [
        w
        for m in filed[:TEXTS_READ]
        if m.seq in contents
        for w in (complaint_text(m.seq, m.reporter, contents[m.seq][0], signatures),)
        if w.signature is not None
    ]
    wording = {seq: group.name for group in text_groups(long_texts, file.policy.text_jaccard) for seq in group.seqs}
    complaints = [_scored(m, contents[m.seq][0], wording.get(m.seq)) for m in filed if m.seq in contents]
    return rescore_without(
        file.cluster.evidence,
        complaints,
        left_out,
        complaints_elsewhere(connection, tenant_id, file),
        tallies_of(connection, tenant_id, file, left_out),
        file.cluster.kind,
        file.policy,
    )


def _scored(m: Membership, content: JsonObject, wording: str | None) -> MemberComplaint:
    reporter, target = content["reporter"], content["target"]
    created = reporter.get("account_created_at")
    return MemberComplaint(
        m.reporter,
        m.target,
        m.time_us,
        target.get("context_id"),
        target.get("author_id"),
        None if created is None else _us(created),
        reporter.get("fingerprint"),
        wording,
    )


def _us(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))
