"""What the three dashboards have in common: variables, links to each other and to the runbook, rows by question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from drawing.panels import SOURCE

SCHEMA_VERSION = 41
RUNBOOK = "docs/runbook.md"  # a board's variable: put the address there at which your people read it
TAG = "brigadewatch"


def board(
    uid: str,
    title: str,
    description: str,
    content: Sequence[tuple[str, Sequence[Any]]],
    *,
    tenants: bool,
    since: str = "now-6h",
) -> dashboard.Dashboard:
    """A dashboard of rows, each a question with its panels."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
        .editable()
        .version(1)
    )
    made.tooltip(models.DashboardCursorSync.CROSSHAIR)
    made.with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
    if tenants:
        made.with_variable(
            dashboard.QueryVariable("tenant")
            .label("Tenant")
            .datasource(SOURCE)
            .query("label_values(brigadewatch_position, tenant)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(models.VariableOption(selected=True, text="All", value="$__all")),
        )
    made.with_variable(dashboard.TextBoxVariable("runbook").label("Runbook").default_value(RUNBOOK))
    made.link(
        dashboard.DashboardLink("brigadewatch")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .keep_time(True)
        .include_vars(True)
        .as_dropdown(False)
    )
    made.link(
        dashboard.DashboardLink("Runbook")
        .type(models.DashboardLinkType.LINK)
        .url("${runbook}")
        .icon("doc")
        .target_blank(True)
    )
    made.annotation(
        dashboard.AnnotationQuery()
        .name("Alerts")
        .datasource(SOURCE)
        .enable(True)
        .hide(False)
        .icon_color("red")
        .expr('ALERTS{alertname=~"Brigadewatch.*", alertstate="firing"}'),
    )
    for question, panels in content:
        made.with_row(dashboard.Row(question))
        for panel in panels:
            made.with_panel(panel)
    return made
