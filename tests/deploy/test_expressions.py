"""Whatever a rule or a dashboard asks for is exported by a service that has really worked."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser
import pytest
from expressions import Exported, Expression, exported_by, expressions, faults, labels_of, recorded
from helm_chart.rendered import EVERYTHING, of_kind, render
from prometheus_client.parser import text_string_to_metric_families
from worked import metrics, worked

pytestmark = pytest.mark.timeout(300)  # a whole service starts and works
HELP_WORDS = 3


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with worked(tmp_path_factory.mktemp("worked")) as installation:
        yield metrics(installation)


@pytest.fixture(scope="module")
def known(page: str) -> Exported:
    return recorded(exported_by(page))


def test_every_expression_uses_exported_metrics_and_labels(known: Exported) -> None:
    everything = expressions()
    assert len(everything) > 100
    assert {f"{one.place}: {fault}" for one in everything for fault in faults(one, known)} == set()


def test_the_chart_scales_by_metrics_that_are_exported(known: Exported) -> None:
    manifests = render(EVERYTHING, 'keda.selector=job="brigadewatch"')
    asked = {
        one["metadata"]["name"]: one["spec"]["triggers"][0]["metadata"]["query"]
        for one in of_kind(manifests, "ScaledObject")
    }
    assert len(asked) == 3
    for name, query in asked.items():
        assert list(faults(Expression(name, query), known)) == []
        assert 'job="brigadewatch"' in query


def test_wrong_metrics_and_labels_in_expressions_are_found(known: Exported) -> None:
    def found(text: str, *named: str) -> list[str]:
        return list(faults(Expression("x", text, frozenset(named)), known))

    assert found("brigadewatch_uq") == ["no metric brigadewatch_uq"]
    assert found('rate(brigadewatch_jobs_total{job_name="x"}[5m])') == ["brigadewatch_jobs_total has no label job_name"]
    assert found("sum by (queue) (rate(brigadewatch_jobs_total[5m]))") == ["there is no label queue to go by"]
    assert found("sum by (work) (brigadewatch_jobs_total)", "tenant") == [
        "its words name tenant, which the answer has not"
    ]
    assert found("tenant:brigadewatch_lag_seconds:max", "tenant") == []
    assert labels_of(
        promql_parser.parse(
            "histogram_quantile(0.5, sum by (le, route) (brigadewatch_http_request_duration_seconds_bucket))"
        ),
        known,
    ) == {"route"}


def test_metric_names_units_and_help_texts_follow_the_conventions_of_prometheus(page: str) -> None:
    for family in text_string_to_metric_families(page):
        if not family.name.startswith("brigadewatch_"):
            assert family.name.startswith(("process_", "python_")), family.name
            continue
        assert len(family.documentation.split()) >= HELP_WORDS and family.documentation.endswith("."), (
            family.name,
            family.documentation,
        )
        assert not re.search(r"_(ms|us|minutes|hours|days|mb|kb|percent)(_|$)", family.name), family.name
        assert (family.type == "counter") == any(
            sample.name.endswith("_total") for sample in family.samples
        ) or not family.samples, family.name


def test_labels_have_few_values_and_contain_no_ids(page: str) -> None:
    values: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
    for label, found in values.items():
        assert len(found) < 60, (label, len(found))
    assert values["tenant"] == {"news", "default"}
    assert "/v1/targets/{id}" in values["route"]
    assert not any(re.search(r"/(r|t|c|k)\d|src_", route) for route in values["route"]), values["route"]
