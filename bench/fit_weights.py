"""Fit the weights of both questions on worlds, each imagination left out once, and say what they are worth there.

    python -m bench.worlds.candidates --out candidates.jsonl --seeds 11 12 13 14 --sizes 2000 6000
    python -m bench.fit_weights candidates.jsonl [more.jsonl ...] [--ridge 0.3] [--json FILE]

Logistic regression with a ridge and a sign for each signal: nothing that looks like a campaign may count against one,
however a sample of worlds happens to fall. A group that stands in several windows weighs one in all.

coordinated   truth: half of the accounts belong to one campaign, or to people who act together by design
              (bench/worlds/labels.py). Signals: lockstep, devotion, group, span, pace, with a base
unfounded     of the groups that act together: do half of the accounts belong to one campaign? Signals: outcomes and
              records (as log-likelihood ratios), new accounts, shared fingerprints, copied wording

Printed: the coefficients of all imaginations together (those go into service/policy.py), then of each fit that leaves
one imagination out, with its calibration error, Brier score (beside the base rate's), precision and recall there.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from service.moderation.signals import pace, record
from service.moderation.signals.chance import surprise
from service.moderation.signals.group import MOST_WEIGHED
from service.moderation.signals.outcomes import OUTCOMES
from service.moderation.signals.registry import SIGNAL_BY_NAME
from service.moderation.signals.signal import Measurement

Floats = npt.NDArray[np.float64]
EDGES = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
COORDINATED = ("lockstep", "devotion", "group", "span", "pace")
UNFOUNDED = ("outcomes", "record", "fresh_accounts", "shared_fingerprints", "near_duplicate_texts")


@dataclass(frozen=True, slots=True)
class Sample:
    """Groups as a matrix: one row each, a first column of ones."""

    x: Floats
    y: npt.NDArray[np.bool_]
    weight: Floats  # 1 / windows in which the same group stands
    imagination: npt.NDArray[np.str_]

    def of(self, rows: npt.NDArray[np.bool_]) -> Sample:
        """Some of the groups."""
        return Sample(self.x[rows], self.y[rows], self.weight[rows], self.imagination[rows])


def factors(name: str, signal: Mapping[str, Any] | None) -> float:
    """A signal as it enters the score, before its weight."""
    if signal is None:
        return 0.0
    if name == pace.SIGNAL.name:
        return pace.factors(Measurement(signal["value"], signal["usual"]))
    if name == record.NAME:
        return float(signal["contribution"]) / record.WEIGHT
    if name == OUTCOMES:
        return float(signal["contribution"])
    if name == "group":
        return min(MOST_WEIGHED, signal["value"])
    if SIGNAL_BY_NAME[name].question == "unfounded":  # a sign of disposable accounts
        return surprise(signal["p_value"])
    return float(signal["value"])


def sample_of(lines: Iterable[Mapping[str, Any]], names: Sequence[str], truth: str) -> Sample:
    """The groups with these signals."""
    lines = list(lines)
    same = [
        (c["generator"], c["seed"], c["size"], c["organic"], c["label"]["kind"], c["label"]["campaign"]) for c in lines
    ]
    times = Counter(same)
    return Sample(
        np.array([[1.0, *(factors(name, c["signals"].get(name)) for name in names)] for c in lines]),
        np.array([bool(c["label"][truth]) for c in lines]),
        np.array([1 / times[key] for key in same]),
        np.array([c["generator"] for c in lines]),
    )


def fit(sample: Sample, ridge: float) -> Floats:
    """Coefficients, the base first; the others are not negative."""
    sign = np.where(sample.y, 1.0, -1.0)

    def loss(w: Floats) -> tuple[float, Floats]:
        margin = sign * (sample.x @ w)
        gradient = -(sample.weight * sign / (1 + np.exp(np.clip(margin, -500, 500)))) @ sample.x
        penalty = np.r_[0.0, w[1:]]
        value = float((sample.weight * np.logaddexp(0, -margin)).sum() + ridge / 2 * (penalty**2).sum())
        return value, gradient + ridge * penalty

    count = sample.x.shape[1]
    found = minimize(
        loss, np.zeros(count), jac=True, method="L-BFGS-B", bounds=[(None, None)] + [(0, None)] * (count - 1)
    )
    return np.asarray(found.x)


def worth(sample: Sample, coefficients: Floats) -> str:
    """Calibration and discrimination on a sample, one line."""
    p = 1 / (1 + np.exp(-(sample.x @ coefficients)))
    w, y = sample.weight, sample.y.astype(float)
    total = max(w.sum(), 1e-9)
    which = np.clip(np.searchsorted(EDGES, p, "right") - 1, 0, len(EDGES) - 2)
    error = sum(abs((w * (p - y))[which == b].sum()) for b in range(len(EDGES) - 1)) / total
    base = float((w * y).sum() / total)
    brier, naive = float((w * (p - y) ** 2).sum() / total), base * (1 - base)
    flagged = p > 0.5
    precision = float((w * y)[flagged].sum() / max(w[flagged].sum(), 1e-9))
    recall = float((w * y)[flagged].sum() / max((w * y).sum(), 1e-9))
    return (
        f"groups {len(y):5} base rate {base:.3f}  calibration error {error:.3f}"
        f"  Brier {brier:.4f} (base rate {naive:.4f})  P {precision:.3f} R {recall:.3f}"
    )


def report(title: str, sample: Sample, names: Sequence[str], ridge: float) -> dict[str, float]:
    """Print one question's fits; the coefficients of all imaginations."""
    everything = fit(sample, ridge)
    print(
        f"\n{title}\n  all: {_named(everything, names)}\n       {worth(sample, everything)}  (on what it was fitted on)"
    )
    for left_out in sorted(set(sample.imagination.tolist())):
        out = sample.imagination == left_out
        mine = fit(sample.of(~out), ridge)
        print(f"  without {left_out}: {_named(mine, names)}\n       there: {worth(sample.of(out), mine)}")
    return dict(zip(("base", *names), everything.tolist(), strict=True))


def _named(coefficients: Floats, names: Sequence[str]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in zip(("base", *names), coefficients, strict=True))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="as bench.worlds.candidates writes them")
    parser.add_argument("--ridge", type=float, default=0.3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="the coefficients")
    chosen = parser.parse_args()
    lines = [json.loads(line) for file in chosen.files for line in file.open(encoding="utf-8")]
    repeat = [c for c in lines if c["kind"] == "repeat"]
    found = {
        "coordinated": report(
            "coordinated, several targets", sample_of(repeat, COORDINATED, "acts_together"), COORDINATED, chosen.ridge
        ),
        "unfounded": report(
            "unfounded, of those that act together",
            sample_of([c for c in repeat if c["label"]["acts_together"]], UNFOUNDED, "is_campaign"),
            UNFOUNDED,
            chosen.ridge,
        ),
    }
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
