"""One very large case, written directly into the tables as ingest and detection would have done.

Hundreds of accounts on sixty comments, most accounts on most comments: far more than moderators usually see, so that a
page that copes with it copes with everything. Written rather than sent, since detecting it would take too long.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine

from service.model import Evidence, microseconds
from service.policy import DEFAULT_POLICY
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

CASE = "large"
FIRST = datetime(2026, 10, 1, 8, tzinfo=UTC)
HOURS_APART = 9.0  # between one comment and the next
DELAY_SECONDS = 900.0  # mean, of a complaint after the comment's first
_AT_ONCE = 500
_REASONS = ("insult", "spam", "hate", "off-topic")
_TEXTS = ("this is offensive, please remove", "This is offensive please remove it", "insult", None)


@dataclass(frozen=True, slots=True)
class _Complaint:
    seq: int
    reporter: int
    target: int
    at: datetime

    @property
    def at_us(self) -> int:
        return microseconds(self.at)


def plant(
    engine: Engine, tenant_id: int, *, reporters: int = 500, targets: int = 60, share: float = 0.8, seed: int = 1
) -> int:
    """Write the case CASE of a tenant that has nothing yet; how many complaints it has."""
    drawn = _draw(reporters, targets, share, np.random.default_rng(seed))
    born = [FIRST - timedelta(days=float(days)) for days in np.random.default_rng(seed + 1).exponential(200, reporters)]
    with write(engine) as connection:
        connection.execute(
            sa.insert(schema.clusters).values(
                id=CASE,
                tenant_id=tenant_id,
                kind="repeat",
                disposition="flagged",
                status="open",
                score=18.4,
                probability=0.999,
                unfounded_probability=0.7,
                settle_with=json.dumps(["comment-0001"]),
                first_us=drawn[0].at_us,
                last_us=drawn[-1].at_us,
                reporter_count=reporters,
                target_count=targets,
                found_us=drawn[-1].at_us,
                version=1,
                policy_version=DEFAULT_POLICY.version,
                summary=f"{reporters} accounts complained about the same {targets} targets; not judged yet.",
                evidence=json.dumps([one.model_dump() for one in _evidence(reporters)]),
            )
        )
        connection.execute(
            sa.insert(schema.cluster_members),
            [
                {
                    "cluster_id": CASE,
                    "tenant_id": tenant_id,
                    "reporter_id": _reporter(k),
                    "reporter_key": key_of(_reporter(k)),
                    "excluded": False,
                }
                for k in range(reporters)
            ],
        )
        connection.execute(
            sa.insert(schema.cluster_targets),
            [
                {
                    "cluster_id": CASE,
                    "tenant_id": tenant_id,
                    "target_id": _target(k),
                    "target_key": key_of(_target(k)),
                    "author_id": _author(k),
                    "author_key": key_of(_author(k)),
                }
                for k in range(targets)
            ],
        )
        for start in range(0, len(drawn), _AT_ONCE):
            some = drawn[start : start + _AT_ONCE]
            keys = [
                {
                    "row_key": tenant_id << SEQ_BITS | c.seq,
                    "tenant_id": tenant_id,
                    "occurred_us": c.at_us,
                    "reporter_key": key_of(_reporter(c.reporter)),
                    "target_key": key_of(_target(c.target)),
                }
                for c in some
            ]
            connection.execute(
                sa.insert(schema.complaints),
                [
                    {
                        **row,
                        "id": f"c{c.seq}",
                        "received_us": c.at_us + 1_000_000,
                        "state": schema.STANDING,
                        "late": False,
                        "reporter_id": _reporter(c.reporter),
                        "target_id": _target(c.target),
                        "content": json.dumps(_document(c, born[c.reporter])),
                    }
                    for c, row in zip(some, keys, strict=True)
                ],
            )
            connection.execute(
                sa.insert(schema.cluster_complaints), [{**row, "cluster_id": CASE, "exempt": False} for row in keys]
            )
        standing = np.bincount([c.target for c in drawn], minlength=targets)
        connection.execute(
            sa.insert(schema.targets),
            [
                {"tenant_id": tenant_id, "target_key": key_of(_target(k)), "complaints": int(n)}
                for k, n in enumerate(standing)
            ],
        )
        connection.execute(
            sa.update(schema.ingest_state)
            .where(schema.ingest_state.c.tenant_id == tenant_id)
            .values(last_seq=len(drawn), watermark_us=drawn[-1].at_us)
        )
    return len(drawn)


def _draw(reporters: int, targets: int, share: float, rng: np.random.Generator) -> list[_Complaint]:
    there = rng.random((targets, reporters)) < share
    there[:, 0] = there[0] = True  # nobody and nothing is left out
    delay = rng.exponential(DELAY_SECONDS, (targets, reporters))
    pairs = sorted(
        (
            FIRST + timedelta(hours=HOURS_APART * target, seconds=round(float(delay[target, reporter]), 3)),
            int(reporter),
            int(target),
        )
        for target, reporter in zip(*np.nonzero(there), strict=True)
    )
    return [_Complaint(seq, reporter, target, at) for seq, (at, reporter, target) in enumerate(pairs, 1)]


def _document(c: _Complaint, born: datetime) -> dict[str, object]:
    text = _TEXTS[c.seq % 4]
    return {
        "id": f"c{c.seq}",
        "occurred_at": _stamp(c.at),
        "reporter": {"id": _reporter(c.reporter), "account_created_at": _stamp(born)},
        "target": {
            "id": _target(c.target),
            "kind": "comment",
            "author_id": _author(c.target),
            "context_id": f"article-{c.target // 2}",
            "excerpt": f"Comment number {c.target} on the tram line.",
        },
        "reason": _REASONS[c.seq % 4],
        **({} if text is None else {"text": text}),
    }


def _evidence(reporters: int) -> list[Evidence]:
    return [
        Evidence(
            signal="base", value=1, usual=1, contribution=-4.0, text="Where every group starts: most groups are chance."
        ),
        Evidence(
            signal="lockstep",
            value=0.8,
            usual=0.0,
            contribution=14.4,
            text="Four of five of their complaints come together.",
        ),
        Evidence(
            signal="group",
            value=float(np.log2(reporters)),
            usual=0.0,
            contribution=8.0,
            text=f"{reporters} accounts move together.",
        ),
    ]


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reporter(k: int) -> str:
    return f"reader-{k:04}"


def _target(k: int) -> str:
    return f"comment-{k:04}"


def _author(k: int) -> str:
    return f"author-{k % 7}"
