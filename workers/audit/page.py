"""The audit's report as one page that a person can read: HTML without scripts, without anything from another host.

PURE.

Everything that came from a platform (ids, words in evidence, file names) is hostile: the template escapes all of it,
`visible` shows what would hide or reorder text, and the page's own content policy forbids scripts and outside addresses
besides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from service.charts.burst import burst_chart, burst_in_rows
from service.charts.lockstep import LAGS, complaints_in_rows, raster, soon_share, swatch
from service.charts.words import at, figure, label, lasting, p_value, question, share, signed, visible
from service.model import Cluster, Evidence, JsonObject
from service.moderation.assessment import recommend
from service.moderation.phrases import duration
from service.moderation.signals.shared_traits import TRAIT_PREFIX
from workers.audit.scenes import AuditScope, Scene, TargetLine

DRAWN = 200  # clusters with a section of their own; browsers cannot open a page with thousands of charts
AUTHOR = "one_author"
_NO_LINKS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """A target of a cluster with both of its counts."""

    line: TargetLine
    independent: float
    recommendation: str  # at the scope's threshold: hold, review or none


@dataclass(frozen=True, slots=True)
class ClusterSection:
    """A cluster as the template takes it."""

    anchor: str  # plain letters and digits, whatever the cluster's id holds
    cluster: Cluster
    evidence: tuple[Evidence, ...]
    traits: tuple[Evidence, ...]  # the part of the evidence that says what the targets have in common
    scene: Scene | None
    raster: Markup | None
    burst: Markup | None
    targets: tuple[ReportTarget, ...]


def page_of(
    report: JsonObject,
    scenes: Mapping[str, Scene],
    scope: AuditScope,
    links: Mapping[str, str] = _NO_LINKS,
    *,
    embedded: bool = False,
) -> str:
    """The whole page. The same report gives the same page; no clock is read.

    `scenes` is by cluster id (workers.audit.scenes.scenes_of); a cluster without one gets no pictures. The first DRAWN
    clusters that are not merged get a section, the others stand in the table alone, and the page says so. `links` are
    the addresses of the tables "members" and "targets" beside it. An `embedded` page is for the srcdoc of an iframe,
    where links within it would otherwise lead to the page around it. Raises ValueError (pydantic's) for a report whose
    clusters are not in the contract's form.
    """
    clusters = [(f"c{n}", Cluster.model_validate(c, strict=False)) for n, c in enumerate(report["clusters"], 1)]
    independent = {row["id"]: (row["complaints"], row["independent_complaints"]) for row in report["targets"]}
    drawn = [(anchor, c) for anchor, c in clusters if c.disposition != "merged"][:DRAWN]
    return _TEMPLATE.render(
        report=report,
        scope=scope,
        clusters=clusters,
        sections=[_section(anchor, c, scenes.get(c.id), independent, scope.threshold) for anchor, c in drawn],
        sectioned={anchor for anchor, _ in drawn},
        undrawn=sum(c.disposition != "merged" for _, c in clusters) - len(drawn),
        dispositions=Counter(c.disposition for _, c in clusters),
        scenes=scenes,
        links=links,
        embedded=embedded,
        held=sum(recommend(raw, own, scope.threshold, flagged=True) == "hold" for raw, own in independent.values()),
        first_at=_moment(report["from"]),
        last_at=_moment(report["to"]),
        lags=[(swatch(k), words) for k, (_, _, words) in enumerate(LAGS)],
    )


def _section(
    anchor: str, cluster: Cluster, scene: Scene | None, independent: Mapping[str, tuple[int, float]], threshold: int
) -> ClusterSection:
    traits = tuple(e for e in cluster.evidence if e.signal.startswith(TRAIT_PREFIX) or e.signal == AUTHOR)
    rows = []
    for line in scene.targets if scene else ():
        own = independent.get(line.id, (line.complaints, float(line.complaints)))[1]
        rows.append(
            ReportTarget(
                line, own, recommend(line.complaints, own, threshold, flagged=cluster.disposition == "flagged")
            )
        )
    return ClusterSection(
        anchor=anchor,
        cluster=cluster,
        evidence=tuple(e for e in cluster.evidence if not e.signal.startswith(TRAIT_PREFIX)),
        traits=traits,
        scene=scene,
        raster=raster(scene.lockstep, f"{anchor}raster") if scene else None,
        burst=burst_chart(scene.burst, f"{anchor}burst") if scene else None,
        targets=tuple(rows),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _shown(value: object) -> object:
    """What an expression of the template is written as: hidden characters made visible, markup of ours untouched."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_ENVIRONMENT = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
    loader=PackageLoader("workers.audit", "templates"),
)
for _name in (
    figure,
    p_value,
    signed,
    share,
    question,
    label,
    at,
    lasting,
    duration,
    complaints_in_rows,
    burst_in_rows,
    soon_share,
):
    _ENVIRONMENT.filters[_name.__name__] = _name
_TEMPLATE = _ENVIRONMENT.get_template("page.html.j2")
