"""The expressions of the rules and dashboards in deploy/, and what they ask for: metrics, and labels of these."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml
from prometheus_client.parser import text_string_to_metric_families

DEPLOY = Path(__file__).parents[1] / "deploy"
RUNBOOK = Path(__file__).parents[1] / "docs" / "runbook.md"
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
Exported = Mapping[str, frozenset[str]]  # labels by metric
BY_PROMETHEUS: Exported = {
    "up": frozenset({"instance", "job"}),
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
}
_OF_A_TARGET = {"instance", "job"}  # every scraped series has these
_IN_BRACES = re.compile(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression, where it stands, and the labels that its words name."""

    place: str
    text: str
    named: frozenset[str] = frozenset()
    is_condition: bool = False  # of an alert: an empty answer is the usual one

    @property
    def query(self) -> str:
        """As Grafana sends it with all tenants chosen."""
        return self.text.replace("$tenant", ".*")

    @property
    def may_be_empty(self) -> bool:
        """Whether it is a question of yes or no: a comparison that nothing meets."""
        tree = promql.parse(self.query)
        return self.is_condition or (
            isinstance(tree, promql.BinaryExpr) and str(tree.op) in {">", "<", "==", "!=", ">=", "<="}
        )


def rules() -> list[dict[str, Any]]:
    """Every rule, as it is written, recording rules first."""
    found = [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
    return sorted(found, key=lambda rule: "alert" in rule)


def boards() -> list[dict[str, Any]]:
    """Every dashboard."""
    return [json.loads(file.read_text()) for file in BOARDS]


def expressions() -> list[Expression]:
    """Of all rules and dashboards."""
    found = []
    for rule in rules():
        words = " ".join(rule.get("annotations", {}).values())
        found.append(
            Expression(
                rule.get("record") or rule["alert"], rule["expr"], frozenset(_IN_BRACES.findall(words)), "alert" in rule
            )
        )
    for board in boards():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                found.append(
                    Expression(
                        f"{board['uid']}: {panel['title']}",
                        target["expr"],
                        frozenset(_IN_BRACES.findall(target.get("legendFormat", ""))),
                    )
                )
    return found


def recorded(exported: Exported) -> Exported:
    """What is exported, what Prometheus adds, and what the recording rules make of it."""
    known = {**exported, **BY_PROMETHEUS}
    for rule in rules():
        if "record" in rule:
            known[rule["record"]] = labels_of(promql.parse(rule["expr"]), known)
    return known


def exported_by(page: str) -> Exported:
    """The samples of a /metrics page, with the labels that each has."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return {name: frozenset(labels) for name, labels in found.items()}


def faults(expression: Expression, known: Exported) -> Iterator[str]:
    """What the expression asks for and nobody exports."""
    tree = promql.parse(expression.query)
    wrong: list[str] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            if node.name not in known:
                wrong.append(f"no metric {node.name}")
            else:
                asked = {matcher.name for matcher in node.matchers.matchers}
                wrong.extend(f"{node.name} has no label {label}" for label in asked - known[node.name] - _OF_A_TARGET)
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            assert node.modifier.type == promql.AggModifierType.By, "sums are by labels here"
            wrong.extend(
                f"there is no label {label} to go by"
                for label in set(node.modifier.labels) - labels_of(node.expr, known)
            )

    promql.walk(tree, visit)
    yield from dict.fromkeys(wrong)
    if not wrong:
        yield from (
            f"its words name {label}, which the answer has not"
            for label in expression.named - labels_of(tree, known) - {"value"}
        )


def labels_of(node: Any, known: Exported) -> frozenset[str]:
    """The labels that an expression's answer has."""
    if isinstance(node, promql.VectorSelector):
        return frozenset(known.get(node.name or "", frozenset()) | _OF_A_TARGET)
    if isinstance(node, promql.MatrixSelector):
        return labels_of(node.vector_selector, known)
    if isinstance(node, promql.AggregateExpr):
        if str(node.op) in ("topk", "bottomk"):
            return labels_of(node.expr, known)
        return frozenset(node.modifier.labels) if node.modifier is not None else frozenset()
    if isinstance(node, promql.Call):
        inner = frozenset().union(*(labels_of(argument, known) for argument in node.args))
        return inner - {"le"} if node.func.name == "histogram_quantile" else inner
    if isinstance(node, promql.BinaryExpr):
        return labels_of(node.lhs, known) or labels_of(node.rhs, known)
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr):
        return labels_of(node.expr, known)
    return frozenset()
