"""The audit's report as one page that a person can read: HTML without scripts, without anything from another host. PURE.

Everything that came from a platform (ids, words in evidence, file names) is hostile: the template escapes all of it, `visible`
shows what would hide or reorder text, and the page's own content policy forbids scripts and outside addresses besides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from service.model import Cluster, Evidence, JsonObject
from service.moderation.assessment import recommend
from service.moderation.score import COORDINATION
from workers.audit.pictures import LAGS, burst_chart, lag_class, lasting, raster, swatch, visible
from workers.audit.scenes import Burst, Lockstep, Scene, Scope, TargetLine

DRAWN = 200  # clusters with a section of their own; a page of thousands of pictures opens nowhere
AIM, AUTHOR = "aim_", "one_author"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target of a cluster with both of its counts."""

    line: TargetLine
    independent: float
    recommendation: str  # at the scope's threshold: hold, review or none


@dataclass(frozen=True, slots=True)
class Section:
    """A cluster as the template takes it."""

    anchor: str  # plain letters and digits, whatever the cluster's id holds
    cluster: Cluster
    evidence: tuple[Evidence, ...]
    aims: tuple[Evidence, ...]  # a part of the evidence that says what the cluster aims at
    scene: Scene | None
    raster: Markup | None
    burst: Markup | None
    targets: tuple[TargetRow, ...]


def page_of(report: JsonObject, scenes: Mapping[str, Scene], scope: Scope) -> str:
    """The whole page. The same report gives the same page; no clock is read.

    `scenes` is by cluster id (workers.audit.scenes.scenes_of); a cluster without one gets no pictures. The first DRAWN clusters that
    are not merged get a section, the others stand in the table alone, and the page says so.
    Raises ValueError (pydantic's) for a report whose clusters are not in the contract's form.
    """
    clusters = [(f"c{n}", Cluster.model_validate(c, strict=False)) for n, c in enumerate(report["clusters"], 1)]
    independent = {row["id"]: (row["complaints"], row["independent_complaints"]) for row in report["targets"]}
    drawn = [(anchor, c) for anchor, c in clusters if c.disposition != "merged"][:DRAWN]
    return _TEMPLATE.render(
        report=report, scope=scope, clusters=clusters, sections=[_section(anchor, c, scenes.get(c.id), independent, scope.threshold) for anchor, c in drawn],
        sectioned={anchor for anchor, _ in drawn}, undrawn=sum(c.disposition != "merged" for _, c in clusters) - len(drawn),
        dispositions=Counter(c.disposition for _, c in clusters), scenes=scenes,
        held=sum(recommend(raw, own, scope.threshold, flagged=True) == "hold" for raw, own in independent.values()),
        first_at=_moment(report["from"]), last_at=_moment(report["to"]), lags=[(swatch(k), words) for k, (_, _, words) in enumerate(LAGS)],
    )


def _section(anchor: str, cluster: Cluster, scene: Scene | None, independent: Mapping[str, tuple[int, float]], threshold: int) -> Section:
    aims = tuple(e for e in cluster.evidence if e.signal.startswith(AIM) or e.signal == AUTHOR)
    rows = []
    for line in scene.targets if scene else ():
        own = independent.get(line.id, (line.complaints, float(line.complaints)))[1]
        rows.append(TargetRow(line, own, recommend(line.complaints, own, threshold, flagged=cluster.disposition == "flagged")))
    return Section(
        anchor=anchor, cluster=cluster, evidence=tuple(e for e in cluster.evidence if not e.signal.startswith(AIM)), aims=aims, scene=scene,
        raster=raster(scene.lockstep, f"{anchor}raster") if scene else None, burst=burst_chart(scene.burst, f"{anchor}burst") if scene else None, targets=tuple(rows),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# --- how values are written


def figure(value: float) -> str:
    """A measured value: whole numbers as such, others with three digits."""
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    if abs(value) < 1e-3:
        return tiny(abs(value)) if value > 0 else f"−{tiny(-value)}"
    return f"{value:.3g}".replace("-", "−")


def tiny(value: float) -> str:
    """A number > 0 as one digit and a power of ten."""
    digit, power = f"{value:.0e}".split("e")
    return f"{digit} × 10{str(int(power)).translate(_SUPERSCRIPT)}"


def p_value(p: float | None) -> str:
    """A p-value; none where no test fits the signal."""
    if p is None:
        return "no test"
    if p < 1e-12:
        return "< 10⁻¹²"
    return tiny(p) if p < 1e-3 else f"{p:.2g}"


def signed(value: float) -> str:
    """A contribution in log-odds, with its sign; a dash for what is only shown."""
    return "–" if value == 0 else f"{value:+.1f}".replace("-", "−")


def share(probability: float) -> str:
    """A probability or share in per cent that never says 0 or 100 where it is neither."""
    if 0 < probability < 0.001:
        return "< 0.1 %"
    if 0.999 < probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.2g} %" if probability < 0.01 else f"{100 * probability:.3g} %"


def question(evidence: Evidence) -> str:
    """Which of the two questions a signal answers."""
    if evidence.signal in COORDINATION:
        return "coordinated?"
    return "unfounded?" if evidence.contribution else "shown only"


def label(signal: str) -> str:
    """A signal's name in words; what a group aims at by the name of the attribute alone."""
    words = signal.removeprefix(AIM).replace("_", " ")
    return words[:1].upper() + words[1:]


def at(moment: datetime) -> str:
    """A time in UTC, to the minute; the table's head says UTC."""
    return f"{moment:%Y-%m-%d %H:%M}"


def complaints_in_rows(lockstep: Lockstep) -> list[tuple[int, str, str]]:
    """The raster in words: (row, reporter, "target number +how long after its first"), one entry a row."""
    told: list[list[str]] = [[] for _ in lockstep.reporters]
    for cell in lockstep.cells:
        number = lockstep.columns[cell.column].number
        told[cell.row].append(f"{number}: {'first' if cell.lag_seconds == 0 else '+' + lasting(cell.lag_seconds)}")
    return [(k, reporter, ", ".join(words)) for k, (reporter, words) in enumerate(zip(lockstep.reporters, told, strict=True), 1)]


def burst_in_rows(burst: Burst) -> list[tuple[datetime, int, int]]:
    """The burst in figures: (hour, members' complaints, others'), the hours in which anybody complained."""
    hours = enumerate(zip(burst.members, burst.others, strict=True))
    return [(burst.start + timedelta(hours=k), mine, theirs) for k, (mine, theirs) in hours if mine or theirs]


def soon_share(lockstep: Lockstep) -> float:
    """Share of the drawn complaints in the first class of LAGS."""
    return sum(lag_class(c.lag_seconds) == 0 for c in lockstep.cells) / max(len(lockstep.cells), 1)


def _shown(value: object) -> object:
    """What an expression of the template is written as: hidden characters made visible, markup of ours untouched."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_ENVIRONMENT = Environment(
    autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True, loader=PackageLoader("workers.audit", "templates"),
)
for _name in (figure, p_value, signed, share, question, label, at, lasting, complaints_in_rows, burst_in_rows, soon_share):
    _ENVIRONMENT.filters[_name.__name__] = _name
_TEMPLATE = _ENVIRONMENT.get_template("page.html.j2")
