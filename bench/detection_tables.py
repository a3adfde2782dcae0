"""Turn stored results into the tables of docs/detection-first-worlds.md and what the pictures are drawn from."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from detection_adversaries import EVASIONS
from detection_calibration import KNOWN, Calibration, by_height, calibrated, calibration, dishonest_share, with_prior
from detection_comparators import TITLES
from detection_crossings import Crossing, by_kind, shares

THRESHOLD = "8"  # complaints at which the imagined platform removes
NAIVE = "burst_10_per_hour"  # stands in every table
KINDS = tuple(f"p{k}" for k in range(1, 9))
OURS = {
    ("contexts", "known"): "**ours**, outcomes known",
    ("contexts", "unknown"): "**ours**, outcomes unknown",
    ("blind", "known"): "**ours**, no context_id, known",
    ("blind", "unknown"): "**ours**, no context_id, unknown",
}


class Results:
    """The kept results by world and part."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: dict[str, dict[str, Any]] = defaultdict(dict)
        for path in sorted(folder.glob("*.json")):
            name, _, part = path.stem.partition(".")
            if part:
                self.parts[part][name] = json.loads(path.read_text())

    def of(self, part: str, *prefixes: str) -> dict[str, Any]:
        """Results of the worlds whose names are one of the prefixes and a number."""
        return {name: found for name, found in self.parts[part].items() if name.rstrip("0123456789") in prefixes}


STANDARD, SMALL, PURE, ADVERSE = ("w", "quick"), ("small",), ("pure",), ("adverse", "adversequick")


def f1(precision: float, recall: float) -> float:
    """Harmonic mean; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def rows_of(results: Results, worlds: Sequence[str]) -> dict[str, list[Any]]:
    """The scores in these worlds, by the row's title: comparators first, the naive one at the top."""
    rows: dict[str, list[Any]] = {}
    found = list(results.of("others", *worlds).values())
    worlds_measured = len(found)
    found = [*found, *results.of("fraudar", *worlds).values()]
    for name, title in TITLES.items():
        scored = [f[name] for f in found if name in f]
        if scored:
            rows[
                title if len(scored) == worlds_measured else f"{title} ({len(scored)} of the {worlds_measured} worlds)"
            ] = scored
    for (part, known), title in OURS.items():
        scored = [f[known] for f in results.of(part, *worlds).values()]
        if scored:
            rows[title] = scored
    return rows


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def mean_of(scored: Sequence[Any], value: Callable[[Any], float]) -> float:
    """Mean of a value of the scores; a precision of nobody (no account flagged) counts as 1."""
    return mean(1.0 if (x := value(t["score"])) != x else x for t in scored)


def _aside(s: Any) -> float:
    return float(s["P_without_patrol"])


def _framed_aside(scored: Any) -> float:
    """Precision without the patrol and without the honest readers that a group complains beside on purpose."""
    found, framed = scored["score"]["P"] * scored["score"]["flagged"], scored["honest"].get("framed", [0, 0])[0]
    return float(found / max(found / scored["score"]["P_without_patrol"] - framed, 1))


def quality(results: Results, worlds: Sequence[str]) -> str:
    """Precision, recall, false accounts and removals."""
    rows = []
    for title, scored in rows_of(results, worlds).items():
        false = [
            mean_of(scored, lambda s, kind=kind: s["false_accounts_per_day"][kind])
            for kind in ("n1", "n2", "n3", "org")
        ]
        at = [t["score"]["removal"][THRESHOLD] for t in scored]
        removed = [100 * mean(a["campaign_targets_removed"][kind] for a in at) for kind in ("independent", "ideal")]
        rows.append(
            [
                title,
                f"{mean_of(scored, lambda s: s['P']):.3f}",
                f"{mean_of(scored, lambda s: s['R']):.3f}",
                f"{mean_of(scored, lambda s: s['F1']):.3f}",
                f"{mean_of(scored, _aside):.3f}",
                f"{mean_of(scored, lambda s: f1(_aside(s), s['R'])):.3f}",
                f"{min(t['score']['F1'] for t in scored):.3f}",
                " / ".join(f"{x:.2f}" for x in false),
                f"{removed[0]:.1f} ({removed[1]:.1f})",
                f"{sum(a['other_removals_lost'] for a in at)} of {sum(a['other_removals'] for a in at)}",
                f"{sum(a['patrol_removals_lost'] for a in at)} of {sum(a['patrol_removals'] for a in at)}",
            ]
        )
    head = [
        "",
        "P",
        "R",
        "F1",
        "P, patrol aside",
        "F1, patrol aside",
        "worst F1",
        "false accounts a day n1 / n2 / n3 / organic",
        "campaign targets removed at 8, % (ideal)",
        "honest removals lost",
        "the patrol's lost",
    ]
    return table(head, rows)


def kinds(results: Results) -> str:
    """Campaigns of which half of the accounts were found."""
    rows = []
    for title, scored in rows_of(results, STANDARD).items():
        rows.append(
            [
                title,
                *(f"{mean_of(scored, lambda s, k=k: s['campaigns_found'].get(k, float('nan'))):.2f}" for k in KINDS),
            ]
        )
    return table(["", *KINDS], rows)


def each_world(results: Results) -> str:
    """Each world by itself: means hide."""
    rows = []
    for name, found in results.of("contexts", *STANDARD, *SMALL).items():
        blind = results.parts["blind"].get(name)
        naive = results.parts["others"].get(name, {}).get(NAIVE)
        scored = [
            naive,
            found["known"],
            found["unknown"],
            *((blind["known"], blind["unknown"]) if blind else (None, None)),
        ]
        rows.append(
            [
                name,
                f"{found['complaints']:,}",
                *("" if t is None else f"{t['score']['P']:.3f} / {t['score']['R']:.3f}" for t in scored),
            ]
        )
    return table(
        ["world", "complaints", "burst P / R", "known", "unknown", "no context_id, known", "no context_id, unknown"],
        rows,
    )


def pure(results: Results) -> str:
    """Worlds without a campaign: whatever is flagged there is false."""
    rows = []
    for title, scored in rows_of(results, PURE).items():
        days = [sum(t["score"]["false_accounts_per_day"].values()) for t in scored]
        rows.append(
            [
                title,
                str(len(scored)),
                f"{mean(days):.3f}",
                f"{max(days):.3f}",
                f"{mean_of(scored, lambda s: s['false_clusters_per_day']):.3f}",
            ]
        )
    return table(["", "worlds", "accounts flagged a day, mean", "worst world", "clusters a day"], rows)


def _recalls(scored: Sequence[Any], kind: str) -> list[float]:
    return [share for t in scored for name, share in t["recall"].items() if name.rpartition("_")[0] == kind]


def adversaries(results: Results) -> str:
    """Recall of each evasion, with its cost; below it what honest people next to it suffered."""
    titles = {TITLES[name] for name in (NAIVE, "projection_k2_1h", "synchrotrap_24h")} | set(OURS.values())
    rows = {title: scored for title, scored in rows_of(results, ADVERSE).items() if title in titles}
    lines = []
    if not rows:
        raise ValueError("no adversaries' world was measured")
    for kind, evasion in EVASIONS.items():
        shares = [_recalls(scored, kind) for scored in rows.values()]
        lines.append([evasion.what, evasion.cost, *(f"{mean(s):.2f}" for s in shares), f"{min(shares[-1]):.2f}"])
    for title, kind in (
        ("eight honest readers that a group complains beside: flagged", "framed"),
        ("60 honest accounts on one campus network: flagged", "campus"),
    ):
        counts = [[t["honest"].get(kind, [0, 0]) for t in scored] for scored in rows.values()]
        lines.append(
            [title, "", *(f"{sum(c[0] for c in count)} of {sum(c[1] for c in count)}" for count in counts), ""]
        )
    last = list(rows.values())[-1]
    lines.append(
        [
            "precision, patrol aside",
            "",
            *(f"{mean_of(scored, _aside):.3f}" for scored in rows.values()),
            f"{min(_aside(t['score']) for t in last):.3f}",
        ]
    )
    lines.append(
        [
            "precision, patrol and framed aside",
            "",
            *(f"{mean(map(_framed_aside, scored)):.3f}" for scored in rows.values()),
            f"{min(map(_framed_aside, last)):.3f}",
        ]
    )
    return table(["what they do", "what it costs them", *rows, "worst, outcomes unknown"], lines)


EVADED = ("decoy", "subset-author", "subset-many", "block-author", "block-many", "jitter", "small", "one-article")


def ablations(results: Results) -> str:
    """What each part is worth: on standard worlds, in small communities and against adversaries."""
    sets = [results.of("ablations", *worlds) for worlds in (STANDARD, SMALL, ADVERSE)]
    naive = [
        [results.parts["others"][name][NAIVE] for name in found if name in results.parts["others"]] for found in sets
    ]
    whole = [[results.parts["contexts"][name] for name in found] for found in sets]
    rows = [
        _ablated(
            "burst, 10 an hour (naive)",
            *[[{"known": scored, "unknown": scored} for scored in found] for found in naive],
        )
    ]
    rows.append(_ablated("**all of it**", *whole))
    for name in next(iter(sets[0].values()), {}):
        rows.append(_ablated(f"without {name}", *[[scored[name] for scored in found.values()] for found in sets]))
    head = [
        "",
        "known: P",
        "R",
        "F1",
        "unknown, patrol aside: P",
        "small, known: P",
        "R",
        "F1",
        "adversaries, unknown: decoys",
        *EVADED[1:],
        "P, patrol and framed aside",
    ]
    return table(head, rows)


def _ablated(title: str, standard: Sequence[Any], small: Sequence[Any], adverse: Sequence[Any]) -> list[str]:
    cells = [title]
    for worlds, aside in ((standard, True), (small, False)):
        known = [t["known"] for t in worlds]
        cells += [f"{mean_of(known, lambda s, k=k: s[k]):.3f}" if known else "" for k in ("P", "R", "F1")]
        if aside:
            cells.append(f"{mean_of([t['unknown'] for t in worlds], _aside):.3f}")
    unknown = [t["unknown"] for t in adverse]
    cells += [f"{mean(_recalls(unknown, kind)):.2f}" if unknown else "" for kind in EVADED]
    return [*cells, f"{mean(map(_framed_aside, unknown)):.3f}" if unknown else ""]


def cases(results: Results) -> str:
    """The worlds of the growth guard and of the context span: whole, and without each part."""
    found, whole = results.of("ablations", "cases"), results.of("cases", "cases")
    naive = [results.parts["others"][name][NAIVE] for name in whole if name in results.parts["others"]]
    rows = [_case("burst, 10 an hour (naive)", [{"known": n, "unknown": n} for n in naive])] if naive else []
    rows.append(_case("**all of it**", list(whole.values())))
    rows += [
        _case(f"without {name}", [scored[name] for scored in found.values()]) for name in next(iter(found.values()), {})
    ]
    head = [
        "",
        "brigades beside volunteers: recall, known",
        "unknown",
        "volunteers flagged, known",
        "unknown",
        "readers of one article flagged, known",
        "unknown",
        "flagged clusters that mix a brigade with honest people, known",
        "unknown",
    ]
    return table(head, rows)


def _case(title: str, worlds: Sequence[Any]) -> list[str]:
    cells = [title, *(f"{mean(_recalls([w[known] for w in worlds], 'brigade')):.2f}" for known in ("known", "unknown"))]
    for kind in ("watch", "readers"):
        for known in ("known", "unknown"):
            counts = [w[known]["honest"].get(kind, [0, 0]) for w in worlds]
            cells.append(f"{sum(c[0] for c in counts)} of {sum(c[1] for c in counts)}")
    return [*cells, *(str(sum(w[known]["mixed"] for w in worlds)) for known in ("known", "unknown"))]


def withdrawn(results: Results) -> str:
    """Flag and withdraw: protection and exposure by how soon the complaints are taken back."""
    found = list(results.of("withdrawn", *ADVERSE).values())
    if not found:
        raise ValueError("nothing was withdrawn")
    rows = []
    for delay in found[0]:
        scored = [f[delay] for f in found]
        one = {key: mean(t[key] for t in scored) for key in scored[0]}
        rows.append(
            [
                delay,
                f"{sum(t['withdrawn'] for t in scored):.0f}",
                f"{100 * one['at_once']:.0f} % of {sum(t['targets'] for t in scored):.0f}",
                f"{one['standing_hour_later']:.1f}",
                f"{100 * one['flagged_ever']:.0f} %",
                f"{one['days_flagged']:.1f}",
                f"{100 * one['flagged_at_end']:.0f} %",
            ]
        )
    head = [
        "withdrawn",
        "complaints taken back",
        "targets kept below 8 at the moment the count reached it (naive, the raw count: 0 %)",
        "complaints that stand on them an hour later, mean",
        "accounts flagged at any moment",
        "days flagged, mean an account",
        "flagged at the end",
    ]
    return table(head, rows)


def unfounded(results: Results) -> str:
    """`unfounded_probability` against what the groups are."""
    found = results.of("unfounded", *STANDARD)
    rows, heights = [], []
    for known, title in zip(KNOWN, ("all", "of every third target", "none"), strict=True):
        scored = [t for f in found.values() for t in f[known]]
        if not scored:
            raise ValueError("no world was looked at for it")
        honest = [t for t in scored if not t["dishonest"]]
        share = dishonest_share(scored)
        for prior, words in ((None, "measured in the tenant"), (0.5, ".5"), (share, "their share here")):
            c, predicted = calibrated(scored, prior), with_prior(scored, prior)
            mean_of_kind = [
                mean(p for p, t in zip(predicted, scored, strict=True) if t["dishonest"] == kind)
                for kind in (True, False)
            ]
            rows.append(
                [
                    title,
                    words,
                    str(c.candidates),
                    f"{sum(t['judged'] for t in scored)}",
                    f"{len(honest)}",
                    f"{c.base_rate:.3f}",
                    f"{mean_of_kind[0]:.3f}",
                    f"{mean_of_kind[1]:.3f}",
                    f"{c.expected_error:.3f}",
                    f"{c.brier:.4f}",
                    f"{c.brier_of_base_rate:.4f}",
                ]
            )
        for low, high, b in by_height(
            [t["unfounded"] for t in scored], [t["dishonest"] for t in scored], (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
        ):
            heights.append([title, f"{low:g} to {high:g}", str(b.candidates), f"{b.predicted:.3f}", f"{b.true:.3f}"])
    errors = table(
        [
            "outcomes",
            "prior",
            "groups",
            "of them judged",
            "honest",
            "dishonest (base rate)",
            "mean predicted for the dishonest",
            "of the honest",
            "expected calibration error",
            "Brier",
            "Brier of the base rate (naive)",
        ],
        rows,
    )
    return f"{errors}\n\n{table(['outcomes', 'predicted', 'groups', 'mean predicted', 'dishonest'], heights)}"


def live_of(results: Results) -> dict[str, list[Crossing]]:
    """By world, what bench/detection_live.py left."""
    return {name: [Crossing(**c) for c in found["crossings"]] for name, found in results.of("live", *STANDARD).items()}


def live(results: Results) -> str:
    """Protection as complaints come, by kind, beside the oracle's."""
    found = live_of(results)
    if not found:
        raise ValueError("bench/detection_live.py did not run with this state of the code")
    scored = {name: shares(crossed) for name, crossed in found.items()}
    lines = [(f"all, {name}", values) for name, values in scored.items()]
    if len(scored) > 1:
        every = {
            key: sum(v[key] for v in scored.values()) if key == "targets" else mean(v[key] for v in scored.values())
            for key in next(iter(scored.values()))
        }
        lines.insert(0, ("**all, mean of the worlds**", every))
    lines += list(by_kind([c for crossed in found.values() for c in crossed]).items())
    rows = [
        [
            title,
            f"{v['targets']:.0f}",
            "0",
            _percent(v["at_once"]),
            _percent(v["oracle"]),
            _percent(v["of_oracle"]),
            _percent(v["later"]),
            _percent(v["oracle_later"]),
            _percent(v["of_oracle_later"]),
        ]
        for title, v in lines
    ]
    return table(
        [
            "% of targets below 8",
            "targets",
            "raw count (naive)",
            "at once",
            "oracle",
            "of the oracle's",
            "an hour later",
            "oracle",
            "of the oracle's",
        ],
        rows,
    )


def _percent(share: float) -> str:
    return "–" if share != share else f"{100 * share:.0f}"


def candidates(results: Results) -> list[Any]:
    """Every candidate of the standard worlds and of those made for it."""
    return [
        c
        for part in ("contexts", "candidates")
        for found in results.of(part, *STANDARD).values()
        for c in found["candidates"]
    ]


def calibrations(results: Results) -> dict[str, Calibration]:
    """By kind of cluster, and of all."""
    every = candidates(results)
    parts = {
        "all": every,
        "repeat": [c for c in every if c["kind"] == "repeat"],
        "one_shot": [c for c in every if c["kind"] == "one_shot"],
    }
    return {
        name: calibration([c["probability"] for c in found], [c["coordinated"] for c in found])
        for name, found in parts.items()
        if found
    }


def calibration_tables(results: Results) -> str:
    """Errors, the naive forecast beside them, and the ten bins."""
    found = calibrations(results)
    worlds = len({c["world"] for c in candidates(results)})
    names = {"all": "all", "repeat": "several targets", "one_shot": "one target, one time"}
    errors = table(
        [
            "candidates of",
            "worlds",
            "candidates",
            "base rate",
            "expected calibration error",
            "Brier",
            "Brier of the base rate (naive)",
        ],
        [
            [
                names[n],
                str(worlds),
                str(c.candidates),
                f"{c.base_rate:.3f}",
                f"{c.expected_error:.3f}",
                f"{c.brier:.4f}",
                f"{c.brier_of_base_rate:.4f}",
            ]
            for n, c in found.items()
        ],
    )
    every = found["all"].bins
    bins = table(
        ["bin, all candidates", *map(str, range(1, len(every) + 1))],
        [
            ["candidates", *(str(b.candidates) for b in every)],
            ["mean probability", *(f"{b.predicted:.3f}" for b in every)],
            ["coordinated", *(f"{b.true:.3f}" for b in every)],
        ],
    )
    pairs = candidates(results)
    heights = table(
        ["probability, all candidates", "candidates", "mean probability", "coordinated"],
        [
            [f"{low:g} to {high:g}", str(b.candidates), f"{b.predicted:.3f}", f"{b.true:.3f}"]
            for low, high, b in by_height([c["probability"] for c in pairs], [c["coordinated"] for c in pairs])
        ],
    )
    return f"{errors}\n\n{bins}\n\n{heights}"


def shuffled(results: Results) -> str:
    """What is flagged in shuffled windows, of worlds with campaigns and of organic ones."""
    rows = []
    for title, worlds, kept in (
        ("organic worlds", PURE, "whole"),
        ("worlds with campaigns", STANDARD, "whole"),
        ("the same, accounts flagged before left out", STANDARD, "cleared"),
    ):
        every = [w for found in results.of("shuffled", *worlds).values() for w in found[kept]]
        if every:
            rows.append(
                [
                    title,
                    str(len(every)),
                    f"{mean(w['complaints'] for w in every):,.0f}",
                    *(f"{mean(w[key] for w in every):.2f}" for key in ("candidates", "clusters", "accounts")),
                    f"{mean(w['burst_accounts'] for w in every):.0f}",
                ]
            )
    return table(
        [
            "shuffled windows of",
            "windows",
            "complaints each",
            "groups before the threshold, a window",
            "**flagged clusters**",
            "**flagged accounts**",
            "accounts that burst flags (naive)",
        ],
        rows,
    )


def _bar(name: str, measured: str, bar: str, met: bool) -> list[str]:
    return [name, bar, measured, "met" if met else "**missed**"]


def bars(results: Results) -> str:
    """Each bar with what was measured beside it."""
    rows: list[list[str]] = []
    standard, small = results.of("contexts", *STANDARD), results.of("contexts", *SMALL)
    known, unknown = [f["known"] for f in standard.values()], [f["unknown"] for f in standard.values()]
    blind = [f["known"] for f in results.of("blind", *STANDARD).values()]
    p, f = mean_of(known, lambda s: s["P"]), mean_of(known, lambda s: s["F1"])
    rows.append(_bar("outcomes known: F1, precision", f"{f:.3f}, {p:.3f}", "≥ .988, ≥ .997", f >= 0.988 and p >= 0.997))
    p, f = mean_of(unknown, _aside), mean_of(unknown, lambda s: f1(_aside(s), s["R"]))
    rows.append(
        _bar(
            "outcomes unknown, patrol aside: F1, precision",
            f"{f:.3f}, {p:.3f}",
            "≥ .985, ≥ .995",
            f >= 0.985 and p >= 0.995,
        )
    )
    patrols = [sum(t["unjudged_patrols"][k] for t in unknown) for k in range(3)]
    rows.append(
        _bar(
            'the patrol, outcomes unknown: flagged clusters that say "not judged yet"',
            f"{patrols[0]} of {patrols[1]}",
            "all",
            patrols[0] == patrols[1] > 0,
        )
    )
    if blind:
        p, f = mean_of(blind, lambda s: s["P"]), mean_of(blind, lambda s: s["F1"])
        rows.append(
            _bar(
                "no context_id, outcomes known: F1, precision",
                f"{f:.3f}, {p:.3f}",
                "≥ .985, ≥ .99",
                f >= 0.985 and p >= 0.99,
            )
        )
    if small:
        f = mean_of([x["known"] for x in small.values()], lambda s: s["F1"])
        rows.append(_bar("small communities, outcomes known: F1", f"{f:.3f}", "≥ .98", f >= 0.98))
    for title, scored, least in (("known", known, 0.8), ("unknown", unknown, 0.9)):
        by_kind = {k: mean_of(scored, lambda s, k=k: s["campaigns_found"][k]) for k in KINDS}
        others = {k: v for k, v in by_kind.items() if k != "p7"}
        worst = min(others, key=lambda k: others[k])
        met = others[worst] >= 0.95 and by_kind["p7"] >= least
        rows.append(
            _bar(
                f"campaigns found, outcomes {title}: worst kind, p7",
                f"{others[worst]:.2f} ({worst}), {by_kind['p7']:.2f}",
                f"≥ .95, ≥ {least:g}",
                met,
            )
        )
    organic = [
        sum(x["unknown"]["score"]["false_accounts_per_day"].values()) for x in results.of("contexts", *PURE).values()
    ]
    if organic:
        rows.append(
            _bar(
                f"organic worlds ({len(organic)}), outcomes unknown: accounts flagged a day",
                f"{mean(organic):.3f}",
                "≤ .05, mean of 20",
                mean(organic) <= 0.05,
            )
        )
        if len(organic) < 20 and rows[-1][-1] == "met":
            rows[-1][-1] = f"met on {len(organic)} of 20"
    for title, scored in (("known", known), ("unknown", unknown)):
        at = [t["score"]["removal"][THRESHOLD] for t in scored]
        lost, total = sum(a["other_removals_lost"] for a in at), sum(a["other_removals"] for a in at)
        rows.append(
            _bar(
                f"honest removals lost at 8, outcomes {title}, patrol aside",
                f"{100 * lost / total:.2f} % ({lost} of {total})",
                "≤ .2 %",
                lost <= 0.002 * total,
            )
        )
        if title == "known":
            own = sum(a["patrol_removals_lost"] for a in at)
            rows.append(
                _bar(
                    "the patrol's removals lost, outcomes known",
                    f"{own} of {sum(a['patrol_removals'] for a in at)}",
                    "none",
                    own == 0,
                )
            )
        over = [
            100 * (a["campaign_targets_removed"]["independent"] - a["campaign_targets_removed"]["ideal"]) for a in at
        ]
        rows.append(
            _bar(
                f"campaign targets removed at 8 above ideal, points: mean, worst (outcomes {title})",
                f"{mean(over):.2f}, {max(over):.2f}",
                "≤ .5, ≤ 2",
                mean(over) <= 0.5 and max(over) <= 2,
            )
        )
    if candidates(results):
        c = calibrations(results)["all"]
        rows.append(
            _bar(
                f"calibration error of `probability` ({c.candidates} candidates)",
                f"{c.expected_error:.3f}",
                "≤ .05",
                c.expected_error <= 0.05,
            )
        )
    adverse = [x["unknown"] for x in results.of("contexts", *ADVERSE).values()]
    if adverse:
        decoys = mean(_recalls(adverse, "decoy"))
        rows.append(_bar("ten decoys a hit, outcomes unknown: recall", f"{decoys:.2f}", "≥ .9", decoys >= 0.9))
        one, many, p = (
            mean(_recalls(adverse, "subset-author")),
            mean(_recalls(adverse, "subset-many")),
            mean(map(_framed_aside, adverse)),
        )
        rows.append(
            _bar(
                "random 15 % subsets, one author / many: recall, precision (patrol and framed aside)",
                f"{one:.2f} / {many:.2f}, {p:.3f}",
                "≥ .7 / ≥ .3, ≥ .98",
                one >= 0.7 and many >= 0.3 and p >= 0.98,
            )
        )
    crossed = live_of(results)
    for name, title, bar in (
        ("at_once", "live, at the moment the raw count reaches 8: below it", 0.55),
        ("later", "the same an hour later", 0.95),
    ):
        if crossed:
            value, oracle = (
                mean(shares(c)[key] for c in crossed.values())
                for key in (name, "oracle" if name == "at_once" else "oracle_later")
            )
            rows.append(
                _bar(
                    f"{title} ({len(crossed)} worlds)",
                    f"{100 * value:.1f} % (oracle {100 * oracle:.1f} %)",
                    f"≥ {100 * bar:g} %",
                    value >= bar,
                )
            )
    return table(["measure", "bar", "measured", ""], rows)


TABLES: dict[str, Callable[[Results], str]] = {
    "bars": bars,
    "standard": lambda r: quality(r, STANDARD),
    "kinds": kinds,
    "worlds": each_world,
    "small": lambda r: quality(r, SMALL),
    "pure": pure,
    "adversaries": adversaries,
    "ablations": ablations,
    "calibration": calibration_tables,
    "shuffled": shuffled,
    "cases": cases,
    "withdrawn": withdrawn,
    "unfounded": unfounded,
    "live": live,
}


def write_tables(results: Results, page: Path | None, target: Path) -> str:
    """Put every table between its markers on the page (or, where there is no page, one below the other) and write it to
    `target`.

    A table whose worlds were not measured is left as it is. Returns a line for people.
    """
    made = {}
    for name, make in TABLES.items():
        try:
            made[name] = make(results)
        except (ValueError, StopIteration, KeyError, IndexError) as error:
            # a mean of nothing: these worlds are missing
            print(f"table {name} is left as it is: {type(error).__name__} {error}", flush=True)
    (results.folder / "summary.json").write_text(json.dumps(_summary(results)))
    if page is None or page != target:
        target.write_text("\n\n".join(f"## {name}\n\n{text}" for name, text in made.items()) + "\n")
        return f"{len(made)} tables in {target}"
    text = page.read_text()
    for name, found in made.items():
        block = f"<!-- begin {name}: written by bench/detection.py -->\n{found}\n<!-- end {name} -->"
        text = re.sub(rf"<!-- begin {name}:.*?<!-- end {name} -->", lambda _, block=block: block, text, flags=re.DOTALL)
    page.write_text(text)
    return f"{len(made)} tables in {target}"


def _summary(results: Results) -> dict[str, Any]:
    """What the pictures show."""
    rows, adverse = rows_of(results, STANDARD), rows_of(results, ADVERSE)
    plain = str.maketrans("", "", "*")
    return {
        "f1": {title.translate(plain): [t["score"]["F1"] for t in scored] for title, scored in rows.items()},
        "evasions": {
            kind: {title.translate(plain): _recalls(scored, kind) for title, scored in adverse.items()}
            for kind in EVASIONS
        },
        "calibration": {name: asdict(c) for name, c in calibrations(results).items()} if candidates(results) else {},
    }
