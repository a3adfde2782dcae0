"""Draw the pictures of docs/detection-first-worlds.md from the results of bench/detection.py.

    PYTHON bench/detection_pictures.py RESULTS OUT

RESULTS is bench/out/detection/<state>. Needs matplotlib, which is not in the lock file, and nothing else of this
repository.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

INK, OURS, OTHERS = "#222222", "#1b6ca8", "#b5b5b5"


def reliability(found: dict[str, Any], out: Path) -> None:
    """Predicted against observed shares, by kind of cluster; the area of a point is the number of candidates."""
    figure, axes = pyplot.subplots(figsize=(5, 4.6))
    axes.plot([0, 1], [0, 1], color=OTHERS, linewidth=1, label="as it should be")
    for name, colour, label in (("repeat", OURS, "several targets"), ("one_shot", "#d1603d", "one target, one time")):
        if name in found:
            bins = found[name]["bins"]
            axes.scatter(
                [b["predicted"] for b in bins],
                [b["true"] for b in bins],
                s=[12 + b["candidates"] for b in bins],
                color=colour,
                alpha=0.6,
                linewidths=0,
                label=label,
            )
    axes.set(
        xlabel="mean probability of the bin", ylabel="share that is coordinated", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03)
    )
    every = found["all"]
    axes.set_title(
        f"{every['candidates']} candidates, base rate {every['base_rate']:.2f}\nexpected error"
        f" {every['expected_error']:.3f}, Brier {every['brier']:.4f}",
        fontsize=10,
    )
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _save(figure, out / "detection-reliability.png")


def comparison(found: dict[str, list[float]], out: Path) -> None:
    """F1 of everybody, each world a dot."""
    figure, axes = pyplot.subplots(figsize=(7.5, 0.38 * len(found) + 1))
    for row, (title, values) in enumerate(reversed(found.items())):
        colour = OURS if title.startswith("ours") else OTHERS
        axes.barh(row, mean(values), color=colour, alpha=0.6, height=0.7)
        axes.plot(values, [row] * len(values), ".", color=INK, markersize=4)
    axes.set_yticks(range(len(found)), list(reversed(found)), fontsize=8)
    axes.set(xlabel="F1 over accounts (bar: mean, dot: a world)", xlim=(0, 1.01))
    _save(figure, out / "detection-f1.png")


def evasions(found: dict[str, dict[str, list[float]]], out: Path) -> None:
    """Recall of each evasion: ours without outcomes beside the naive baseline and SynchroTrap."""
    curves = [("burst, 10 an hour", OTHERS), ("SynchroTrap 24 h", "#7a7a7a"), ("ours, outcomes unknown", OURS)]
    figure, axes = pyplot.subplots(figsize=(7.5, 3.6))
    for k, (title, colour) in enumerate(curves):
        values = [rows.get(title, []) for rows in found.values()]
        places = [x + (k - 1) * 0.27 for x in range(len(values))]
        axes.bar(places, [mean(v) if v else 0.0 for v in values], width=0.25, color=colour, label=title)
        for place, v in zip(places, values, strict=True):
            axes.plot([place] * len(v), v, ".", color=INK, markersize=3)
    axes.set_xticks(range(len(found)), list(found), rotation=30, ha="right", fontsize=8)
    axes.set(ylabel="recall over accounts", ylim=(0, 1.05))
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3)
    _save(figure, out / "detection-evasions.png")


def _save(figure: Any, path: Path) -> None:
    for side in ("top", "right"):
        figure.axes[0].spines[side].set_visible(False)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(figure)
    print(f"{path} {path.stat().st_size // 1000} kB", flush=True)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    results, out = Path(sys.argv[1]), Path(sys.argv[2])
    summary = json.loads((results / "summary.json").read_text())
    out.mkdir(parents=True, exist_ok=True)
    if summary["calibration"]:
        reliability(summary["calibration"], out)
    comparison(summary["f1"], out)
    if any(any(rows.values()) for rows in summary["evasions"].values()):
        evasions(summary["evasions"], out)


if __name__ == "__main__":
    main()
