"""A whole case for tests of its page: members in step on several targets, others beside them, outcomes, texts,
evidence.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from case_world import at_text, at_us, put_cluster
from sqlalchemy import Engine

from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

WORDS = "this comment insults everybody who lives here and has to be removed at once please"
EVIDENCE = [
    {
        "signal": "base",
        "value": 1,
        "usual": 1,
        "p_value": None,
        "contribution": -12.4,
        "text": "Where every group starts: most groups are chance.",
    },
    {
        "signal": "lockstep",
        "value": 0.86,
        "usual": 0.0,
        "p_value": None,
        "contribution": 2.5,
        "text": "On an average target 86 % of the other members complained too.",
    },
    {
        "signal": "devotion",
        "value": 0.9,
        "usual": 0.3,
        "p_value": None,
        "contribution": 3.4,
        "text": "90 % of all complaints of the members go to these targets.",
    },
    {
        "signal": "group",
        "value": 3.0,
        "usual": 0.0,
        "p_value": None,
        "contribution": 7.2,
        "text": "Each additional member makes coincidence 1,000 times less likely.",
    },
    {
        "signal": "span",
        "value": 1.0,
        "usual": 0.3,
        "p_value": None,
        "contribution": 6.2,
        "text": (
            "100 % of the members follow the group into two or more contexts; readers of one popular article do not."
        ),
    },
    {
        "signal": "fresh_accounts",
        "value": 0.5,
        "usual": 0.05,
        "p_value": 0.004,
        "contribution": 3.1,
        "text": "4 of 8 accounts were younger than 14 days at their first complaint here.",
    },
    {
        "signal": "burst",
        "value": 8,
        "usual": 0.12,
        "p_value": 1e-13,
        "contribution": 0.0,
        "text": "8 of 8 members complained within the densest hour, where these targets draw 0.12 others.",
    },
    {
        "signal": "aim_author",
        "value": 0.9,
        "usual": 0.02,
        "p_value": 1e-6,
        "contribution": 0.0,
        "text": "5 of 6 targets are by author a-9 (2 % of all targets are).",
    },
    {
        "signal": "outcomes",
        "value": 0.5,
        "usual": 0.4,
        "p_value": None,
        "contribution": -0.6,
        "text": "Moderators rejected the complaints on 1 of 2 targets reviewed and upheld the other.",
    },
]


def put_case(
    engine: Engine,
    tenant_id: int,
    cluster_id: str = "k1",
    *,
    people: int = 8,
    targets: int = 6,
    others: int = 2,
    first_seq: int = 1,
    say: str = "{0}",
    settle: bool = True,
    **columns: Any,
) -> None:
    """A flagged case of `people` on `targets`, each a day after the other, with `others` beside them on each, written
    straight into the tables.

    `say` wraps whatever people or a platform wrote (ids, texts, reasons, urls): "{0}" leaves it as it is. Seqs are used
    from `first_seq` on.
    """
    reporters, hit = [say.format(f"r-{k}") for k in range(people)], [say.format(f"comment/{k}") for k in range(targets)]
    values = {
        "evidence": json.dumps([{**e, "text": say.format(e["text"])} for e in EVIDENCE]),
        "summary": say.format(f"{people} accounts complained about the same {targets} targets; not judged yet."),
        "settle_with": json.dumps(hit[:2] if settle else []),
        "score": 9.4,
        "probability": 0.98,
        "unfounded_probability": 0.71,
        **columns,
    }
    put_cluster(
        engine,
        tenant_id,
        cluster_id,
        reporters=reporters,
        targets=hit,
        author=say.format("a-9"),
        first=0,
        last=24 * (targets - 1) + 0.2,
        **values,
    )
    complaints, own = [], []
    seq = first_seq
    for t, target in enumerate(hit):
        crowd = [
            *((name, k * 40 + (k % 3) * 200) for k, name in enumerate(reporters)),
            *((say.format(f"o-{t}-{k}"), 9_000 * (k + 1)) for k in range(others)),
        ]
        for place, (reporter, seconds) in enumerate(crowd):
            member, hours = place < people, 24 * t + seconds / 3600
            content = {
                "id": say.format(f"{cluster_id}-c{seq}"),
                "occurred_at": at_text(hours),
                "reporter": {
                    "id": reporter,
                    "account_created_at": at_text(-24 * (3 if place % 2 else 900)),
                    **({"fingerprint": "f" * 40} if place in (1, 2) else {}),
                },
                "target": {
                    "id": target,
                    "kind": "comment",
                    "author_id": say.format("a-9"),
                    "context_id": say.format(f"article-{t}"),
                    "context_title": say.format(f"The headline of {t}"),
                    "context_url": f"https://news.example/articles/{t}",
                    "url": "https://news.example/" + target,
                    "excerpt": say.format(f"What was said, number {t}."),
                },
                "reason": say.format("abuse"),
                "text": say.format(WORDS if member and place % 4 else f"my own words about number {t} by {place}"),
            }
            row_key = tenant_id << 40 | seq
            complaints.append(
                {
                    "row_key": row_key,
                    "tenant_id": tenant_id,
                    "id": content["id"],
                    "occurred_us": at_us(hours),
                    "received_us": at_us(hours) + 1_000_000,
                    "reporter_key": key_of(reporter),
                    "target_key": key_of(target),
                    "state": schema.STANDING,
                    "late": False,
                    "reporter_id": reporter,
                    "target_id": target,
                    "content": json.dumps(content),
                }
            )
            if member:
                own.append(
                    {
                        "cluster_id": cluster_id,
                        "row_key": row_key,
                        "tenant_id": tenant_id,
                        "reporter_key": key_of(reporter),
                        "target_key": key_of(target),
                        "occurred_us": at_us(hours),
                        "exempt": place == 7,
                    }
                )
            seq += 1
    with write(engine) as connection:
        connection.execute(sa.insert(schema.complaints), complaints)
        connection.execute(sa.insert(schema.cluster_complaints), own)
        connection.execute(
            sa.insert(schema.targets),
            [{"tenant_id": tenant_id, "target_key": key_of(target), "complaints": people + others} for target in hit],
        )


def put_removal(
    engine: Engine,
    tenant_id: int,
    target: str,
    *,
    seq: int,
    hours: float,
    verdict: str | None = None,
    action: str | None = "removed",
    decided_by: str = "automatic",
) -> None:
    """An archived outcome about a target."""
    body = {
        "id": f"x{seq}",
        "target_id": target,
        "decided_at": at_text(hours),
        "verdict": verdict,
        "action": action,
        "decided_by": decided_by,
    }
    body = {name: value for name, value in body.items() if value is not None}
    with write(engine) as connection:
        connection.execute(
            sa.insert(schema.outcomes).values(
                row_key=tenant_id << 40 | seq,
                tenant_id=tenant_id,
                id=body["id"],
                target_key=key_of(target),
                decided_us=at_us(hours),
                received_us=at_us(hours),
                content=json.dumps(body),
            )
        )
