"""Entries of the audit trail as sentences: what somebody did, after their name. PURE.

An action without a sentence here is named as it is, and everything an entry holds stands in its details.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from service.console.decision_form import reason_word
from service.moderation.decisions import verdict_words
from service.moderation.phrases import duration, plural

Detail = Mapping[str, Any]
Words = Callable[[str, Detail], str]


def _decision(case: str, detail: Detail) -> str:
    verdict = verdict_words(str(detail.get("verdict", "")), detail.get("reason_code", ""))
    # Older entries do not say what was undone: then it was the same verdict.
    undone = detail.get("undone") or {}
    if detail.get("reverses"):
        was = verdict_words(str(undone["verdict"]), undone.get("reason_code")) if undone else verdict
        undoing = f"undid decision {detail['reverses']} (“{was}”) on case {case}"
        return undoing if undone.get("verdict") in (None, detail.get("verdict")) else f"{undoing}: {verdict}"
    reason = reason_word(detail.get("reason_code", ""))
    excluded = detail.get("excluded_reporters") or []
    return (
        f"decided case {case}: {verdict}"
        + (f" ({reason})" if reason else "")
        + (f", excluding {plural(len(excluded), 'account')}" if excluded else "")
    )


def _claim(case: str, detail: Detail) -> str:
    return f"took case {case} over from {detail['from']}" if detail.get("from") else f"claimed case {case}"


def _queue_name(detail: Detail) -> str:
    return f"the queue “{detail['to']}”" if detail.get("to") else "no queue"


def _restoration(_: str, detail: Detail) -> str:
    target = detail.get("target", "a target")
    return (
        f"marked {target} as restored" if detail.get("choice") == "restored" else f"confirmed the removal of {target}"
    )


def _warning(_: str, detail: Detail) -> str:
    reporter = detail.get("reporter", "a reporter")
    return f"warned {reporter}" if detail.get("choice") == "warned" else f"decided not to warn {reporter}"


def _misuse_step(_: str, detail: Detail) -> str:
    reporter = detail.get("reporter", "a reporter")
    return {
        "warned": f"recorded a warning of {reporter} for manifestly unfounded notices",
        "suspended": f"recorded that notices by {reporter} are not processed until {detail.get('until', 'later')[:10]}",
    }.get(str(detail.get("step")), f"recorded that notices by {reporter} are processed again")


def _misuse_marks(_: str, detail: Detail) -> str:
    reporter, marked = detail.get("reporter", "a reporter"), int(detail.get("manifestly_unfounded", 0))
    if not marked:
        return f"removed the marks from all notices by {reporter}: none is manifestly unfounded"
    return (
        f"marked {plural(marked, 'notice')} by {reporter} as manifestly unfounded (before: {detail.get('before', 0)})"
    )


def _flagger_added(reporter: str, detail: Detail) -> str:
    until = f" until {detail['until']}" if detail.get("until") else ""
    return (
        f"entered {reporter} as trusted flagger {detail.get('entity', '')} ({detail.get('coordinator', '')}) from"
        f" {detail.get('since', '')}{until}"
    )


def _campaign(case: str, detail: Detail) -> str:
    others = [str(one) for one in detail.get("cases") or []]
    named = others[0] if len(others) == 1 else plural(len(others), "other case")
    return (
        f"said that case {case} is one campaign with {named}"
        if detail.get("relation") == "together"
        else f"said that case {case} is not one campaign with {named}"
    )


def _changes(detail: Detail) -> str:
    """Names of what changed, with before and after where both are short."""
    told = []
    for name, value in detail.items():
        words = name.replace("_", " ")
        if isinstance(value, dict) and value.keys() == {"before", "after"}:
            before, after = (_short(value[each]) for each in ("before", "after"))
            told.append(f"{words} from {before} to {after}" if before is not None and after is not None else words)
        else:
            told.append(words)
    return ", ".join(told) or "nothing"


def _short(value: Any) -> str | None:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    return str(value) if isinstance(value, int | float | str) and len(str(value)) <= 40 else None


def _policy(_: str, detail: Detail) -> str:
    before, after = detail.get("before") or {}, detail.get("after") or {}
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return "changed the thresholds: " + _changes(
        {name: {"before": before.get(name, "default"), "after": after.get(name, "default")} for name in names}
    )


def _sign_in(_: str, detail: Detail) -> str:
    how = " with single sign-on" if detail.get("via") == "sso" else ""
    ended = detail.get("sessions_ended")
    return (
        f"signed in{how}"
        + (f" from {detail['address']}" if detail.get("address") else "")
        + (f"; {plural(ended, 'older session')} ended" if ended else "")
    )


def _sign_out(_: str, detail: Detail) -> str:
    return "signed out everywhere" if detail.get("everywhere") else "signed out"


def _locked(user: str, detail: Detail) -> str:
    attempts, seconds = detail.get("attempts", 0), detail.get("seconds", 0)
    return f"locked {user} for {duration(float(seconds))} after {plural(attempts, 'wrong password')}"


def _erase(_: str, detail: Detail) -> str:
    return {
        "requested": "asked for the erasure of a reporter",
        "done": "finished the erasure of a reporter",
    }.get(str(detail.get("state")), "went on with the erasure of a reporter")


def _subscription(verb: str) -> Words:
    return lambda number, detail: f"{verb} webhook subscription {detail.get('url') or number}"


def _source(verb: str) -> Words:
    return lambda number, detail: f"{verb} the {detail.get('platform', '')} connection {number}"


def _factor(verb: str) -> Words:
    return lambda user, detail: (
        f"{verb} a second factor of {user}" + (f" ({detail['kind']})" if detail.get("kind") else "")
    )


_SENTENCES: dict[str, tuple[str, Words]] = {
    "decision": ("Decision on a case", _decision),
    "claim": ("Claim of a case", _claim),
    "unclaim": ("Release of a case", lambda case, _: f"released case {case}"),
    "case moved": ("Case moved to a queue", lambda case, detail: f"moved case {case} to {_queue_name(detail)}"),
    "case assigned": (
        "Case assigned",
        lambda case, detail: f"assigned case {case} to {detail.get('to') or 'nobody'}",
    ),
    "queue saved": ("Queue saved", lambda queue, _: f"saved the queue “{queue}”"),
    "queue removed": ("Queue removed", lambda queue, _: f"removed the queue “{queue}”"),
    "queue raised": ("Queue order", lambda queue, _: f"moved the queue “{queue}” up"),
    "filter shared": ("Saved filter shared", lambda _, __: "shared a saved filter"),
    "filter removed": ("Shared filter removed", lambda _, __: "removed a shared filter"),
    "template saved": ("Note template saved", lambda _, __: "saved a note template"),
    "template removed": ("Note template removed", lambda _, __: "removed a note template"),
    "tag added": ("Tag added", lambda case, _: f"tagged case {case}"),
    "tag removed": ("Tag removed", lambda case, _: f"removed a tag from case {case}"),
    "campaign": ("Campaign joined or split", _campaign),
    "restoration": ("Restoration", _restoration),
    "warning": ("Warning of a reporter", _warning),
    "misuse marks": ("Manifestly unfounded notices", _misuse_marks),
    "misuse step": ("Warning or suspension for notices", _misuse_step),
    "handover": ("Handover to the next shift", lambda _, __: "left a handover for the next shift"),
    "import-uploaded": ("File uploaded", lambda number, _: f"uploaded a file for import {number}"),
    "import-started": ("Start of an import", lambda number, _: f"started import {number}"),
    "import-stopped": ("Stop of an import", lambda number, _: f"stopped import {number}"),
    "import-undone": ("Undo of an import", lambda number, _: f"undid import {number}"),
    "import-deleted": ("Uploaded file deleted", lambda number, _: f"deleted the file of import {number}"),
    "mail.changed": ("Messages by e-mail", lambda _, detail: f"chose messages by e-mail: {detail.get('cadence', '')}"),
    "mail.confirmed": ("E-mail address confirmed", lambda _, __: "confirmed an e-mail address"),
    "mail.off": ("Messages by e-mail ended", lambda user, _: f"ended messages by e-mail to {user}"),
    "trusted flagger added": ("Trusted flagger added", _flagger_added),
    "trusted flagger ended": (
        "End of a trusted flagger’s status",
        lambda reporter, detail: f"recorded that {reporter} is a trusted flagger until {detail.get('until', '')}",
    ),
    "trusted flagger suspended": (
        "Suspension of a trusted flagger",
        lambda reporter, detail: (
            f"recorded that the status of {reporter} as trusted flagger is suspended from {detail.get('from', '')}"
        ),
    ),
    "trusted flagger removed": (
        "Trusted flagger removed",
        lambda reporter, _: f"removed an entry about {reporter} from the trusted flaggers, as a mistake",
    ),
    "allowed": ("Good patrol added", lambda reporter, _: f"added {reporter} to the good patrols"),
    "allowed no longer": ("Good patrol removed", lambda reporter, _: f"removed {reporter} from the good patrols"),
    "patrol proposed": (
        "Good patrol proposed",
        lambda case, detail: (
            f"proposed {plural(int(detail.get('accounts', 0)), 'account')} of case {case} as good patrols"
        ),
    ),
    "patrol accepted": (
        "Proposed good patrol accepted",
        lambda case, detail: (
            f"accepted the proposal by {detail.get('proposed_by', 'a moderator')}:"
            f" {plural(int(detail.get('accounts', 0)), 'account')} of case {case} became good patrols"
        ),
    ),
    "patrol declined": (
        "Proposed good patrol declined",
        lambda case, detail: (
            f"declined to make the accounts of case {case} good patrols, as {detail.get('proposed_by', 'a moderator')}"
            " had proposed"
        ),
    ),
    "settings": ("Settings", lambda _, detail: f"changed settings: {_changes(detail)}"),
    "policy": ("Thresholds", _policy),
    "daily-files-on": ("Daily files", lambda _, __: "had the archive written as files by day"),
    "daily-files-off": (
        "Daily files ended",
        lambda _, detail: "ended the files by day" + (" and deleted them" if detail.get("deleted") else ""),
    ),
    "sign-in": ("Sign-in", _sign_in),
    "sign-out": ("Sign-out", _sign_out),
    "sign-in-rules": ("Sign-in rules", lambda _, detail: f"changed the sign-in rules: {_changes(detail)}"),
    "session-ended": (
        "End of a session",
        lambda user, detail: f"ended {plural(int(detail.get('sessions', 1)), 'session')} of {user}",
    ),
    "user-created": (
        "Person added",
        lambda user, detail: f"added {user} as {detail.get('role', 'a person')}",
    ),
    "user-role": (
        "Role",
        lambda user, detail: f"changed the role of {user} from {detail.get('before')} to {detail.get('after')}",
    ),
    "user-password": ("Password", lambda user, _: f"set a new password for {user}"),
    "user-reset-link": ("Sign-in link", lambda user, _: f"made a sign-in link for {user}"),
    "user-disabled": ("Person disabled", lambda user, _: f"disabled the account of {user}"),
    "user-enabled": ("Person enabled", lambda user, _: f"enabled the account of {user}"),
    "user-locked": ("Temporary lock", _locked),
    "factor-added": ("Second factor added", _factor("added")),
    "factor-removed": ("Second factor removed", _factor("removed")),
    "recovery-codes-renewed": ("Recovery codes", lambda user, _: f"made new recovery codes for {user}"),
    "recovery-code": (
        "Recovery code used",
        lambda _, detail: f"signed in with a recovery code; {detail.get('left', 0)} left",
    ),
    "sso-linked": ("Single sign-on linked", lambda user, _: f"linked {user} to single sign-on"),
    "sso-refused": ("Single sign-on refused", lambda user, _: f"refused {user}: the provider gives them no role"),
    "sso-changed": ("Single sign-on changed", lambda _, detail: "changed single sign-on"),
    "sso-removed": ("Single sign-on removed", lambda _, detail: "removed single sign-on"),
    "key-created": ("API key created", lambda number, detail: f"created API key “{detail.get('name', number)}”"),
    "key-revoked": ("API key revoked", lambda number, _: f"revoked API key {number}"),
    "subscription.created": ("Webhook subscription created", _subscription("created")),
    "subscription.changed": ("Webhook subscription changed", _subscription("changed")),
    "subscription.secret_rotated": ("Webhook secret", _subscription("made a new secret for")),
    "subscription.disabled": ("Webhook subscription disabled", _subscription("disabled")),
    "subscription.enabled": ("Webhook subscription enabled", _subscription("enabled")),
    "subscription.deleted": ("Webhook subscription deleted", _subscription("deleted")),
    "source added": ("Platform connected", _source("added")),
    "source rotated": ("Platform secret", _source("made a new secret for")),
    "source removed": ("Platform disconnected", _source("removed")),
    "erase": ("Erasure", _erase),
    "retention-consent": (
        "Consent to retention",
        lambda _, detail: f"agreed that retention deletes {plural(int(detail.get('records') or 0), 'record')} once",
    ),
    "dead letters sent again": (
        "Dead letters retried",
        lambda _, detail: f"retried {plural(int(detail.get('count', 0)), 'dead letter')}",
    ),
    "dead letters dropped": (
        "Dead letters deleted",
        lambda _, detail: f"deleted {plural(int(detail.get('count', 0)), 'dead letter')}",
    ),
}


def action_label(action: str) -> str:
    """An action as the filter names it."""
    return _SENTENCES[action][0] if action in _SENTENCES else action.replace("-", " ").replace("_", " ").capitalize()


def audit_sentence(action: str, subject: str, detail: Detail) -> str:
    """What was done, after the name of who did it; `subject` as the entry holds it ("cluster:k-1")."""
    name = subject.partition(":")[2] or subject
    if action not in _SENTENCES:
        return f"{action_label(action).lower()}: {name}"
    return _SENTENCES[action][1](name, detail)
