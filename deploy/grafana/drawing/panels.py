"""Panels as these dashboards have them: one question each, said in the title, explained in the description."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${source}")
GOOD, WARN, BAD, PLAIN = "green", "orange", "red", "blue"
_WORD = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how its lines are called (labels in {{}})."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a value is worth a look, and from where on it is bad. `falling`: the smaller the worse."""

    warn: float | None
    bad: float | None
    falling: bool = False

    def steps(self) -> list[models.Threshold]:
        """As Grafana wants them: rising, the first from minus infinity."""
        first, last = (BAD, GOOD) if self.falling else (GOOD, BAD)
        steps = [models.Threshold(value=None, color=first)]
        middle, end = (self.bad, self.warn) if self.falling else (self.warn, self.bad)
        if middle is not None:
            steps.append(models.Threshold(value=middle, color=WARN if end is not None else last))
        if end is not None:
            steps.append(models.Threshold(value=end, color=last))
        return steps


def number(
    title: str,
    question: str,
    query: Query,
    unit: str,
    *,
    limits: Limits | None = None,
    alert: str | None = None,
    decimals: int | None = None,
    width: int = 4,
) -> Any:
    """One figure (or one a label), coloured by its limits."""
    panel = (
        stat.Panel()
        .graph_mode(common_models.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    panel.text_mode(common_models.BigValueTextMode.AUTO).color_mode(common_models.BigValueColorMode.VALUE)
    return _finished(panel, title, question, [query], unit, limits, alert, decimals, width, 4)


def lines(
    title: str,
    question: str,
    queries: Sequence[Query],
    unit: str,
    *,
    limits: Limits | None = None,
    alert: str | None = None,
    stacked: bool = False,
    smallest: float | None = 0,
    width: int = 8,
) -> Any:
    """Values over time."""
    panel = (
        timeseries.Panel()
        .line_width(1.5)
        .fill_opacity(25 if stacked else 8)
        .show_points(common_models.VisibilityMode.NEVER)
        .span_nulls(False)
    )
    panel.legend(
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(
        common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI).sort(common_models.SortOrder.DESCENDING)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if limits is not None:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(common_models.GraphTresholdsStyleMode.DASHED))
    if smallest is not None:
        panel.min(smallest)
    return _finished(panel, title, question, queries, unit, limits, alert, None, width, 8)


def bars(
    title: str,
    question: str,
    query: Query,
    unit: str,
    *,
    limits: Limits | None = None,
    alert: str | None = None,
    width: int = 8,
) -> Any:
    """One bar a label, as it is now."""
    panel = (
        bargauge.Panel()
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .display_mode(common_models.BarGaugeDisplayMode.BASIC)
        .min(0)
    )
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return _finished(panel, title, question, [query], unit, limits, alert, None, width, 8)


def rows(title: str, question: str, columns: Sequence[tuple[str, str, str]], by: str, *, width: int = 24) -> Any:
    """A table with a row a label and a column a query: (name, expression, unit)."""
    panel = table.Panel().title(title).description(question).datasource(SOURCE).span(width).height(9)
    renamed, order = {}, {by: 0}
    for place, (name, expr, unit) in enumerate(columns, 1):
        ref = chr(ord("A") + place - 1)
        panel.with_target(prometheus.Dataquery().expr(expr).instant().format(PromQueryFormat.TABLE).ref_id(ref))
        renamed[f"Value #{ref}"], order[f"Value #{ref}"] = name, place
        panel.override_by_name(name, [models.DynamicConfigValue(id_val="unit", value=unit)])
    panel.with_transformation(
        models.DataTransformerConfig(id_val="joinByField", options={"byField": by, "mode": "outer"})
    )
    hidden = {"Time": True} | {f"Time {n}": True for n in range(1, len(columns) + 1)}
    panel.with_transformation(
        models.DataTransformerConfig(
            id_val="organize", options={"excludeByName": hidden, "indexByName": order, "renameByName": renamed}
        )
    )
    return panel


def _finished(
    panel: Any,
    title: str,
    question: str,
    queries: Sequence[Query],
    unit: str,
    limits: Limits | None,
    alert: str | None,
    decimals: int | None,
    width: int,
    height: int,
) -> Any:
    panel.title(title).description(question if alert is None else f"{question}\n\nAlert: {alert}").datasource(
        SOURCE
    ).unit(unit).span(width).height(height).no_value("no data")
    for place, query in enumerate(queries):
        panel.with_target(
            prometheus.Dataquery()
            .expr(query.expr)
            .legend_format(query.legend or "__auto")
            .range()
            .ref_id(chr(ord("A") + place))
        )
    if decimals is not None:
        panel.decimals(decimals)
    steps = [models.Threshold(value=None, color=PLAIN)] if limits is None else limits.steps()
    panel.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
    over_time = isinstance(panel, timeseries.Panel)
    panel.color_scheme(
        dashboard.FieldColor().mode(
            models.FieldColorModeId.PALETTE_CLASSIC if over_time else models.FieldColorModeId.THRESHOLDS
        )
    )
    if alert is not None:
        panel.links(
            [
                dashboard.DashboardLink("Runbook")
                .type(models.DashboardLinkType.LINK)
                .url(f"${{runbook}}#{_WORD.sub('', alert).lower()}")
                .target_blank(True)
            ]
        )
    return panel
