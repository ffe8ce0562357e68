"""`python -m tools.metrics` writes docs/reference/metrics.md, the list of all metrics.

It finds the metrics by convention. A function has them in `functions/NAME/metrics.py` or `functions/NAME.py`, or in the
module of the class that its `create` returns (all reactions share one).
"""

import functools
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import typing
from collections.abc import Iterable
from pathlib import Path

import functions
import pipeline.metrics
from pipeline.metrics import PREFIX, Metric, process_metrics

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "metrics.md"

INTRODUCTION = """\
<!-- `make metrics` writes this page from the code. -->

# Metrics

Every function exposes its metrics at `GET /metrics`, on the port of the function, in Prometheus' text format. If the
display has a token or a login, `/metrics` requires it too.

Counters start at 0 with the process. Those of the display start with its `DISPLAY_FILE`, if it has one.

No label has a value from an event, so the number of time series does not grow with the events.
"""


def page() -> str:
    """Return docs/reference/metrics.md."""
    users: dict[tuple[Metric, ...], list[str]] = {}
    for name in (module.name for module in pkgutil.iter_modules(functions.__path__)):
        users.setdefault(own_metrics(name), []).append(name)
    shared = [(metrics, names) for metrics, names in users.items() if metrics and len(names) > 1]
    single = [(metrics, names) for metrics, names in users.items() if metrics and len(names) == 1]
    sections = [_section("Every function", common_metrics())]
    sections += [_section("Reactions", metrics, "Exposed by every reaction.") for metrics, _ in shared]
    sections += [_section(names[0], metrics) for metrics, names in single]
    return "\n".join([INTRODUCTION, *sections, _process_section()])


def common_metrics() -> tuple[Metric, ...]:
    """Return the metrics of every function."""
    return _metrics_in(pipeline.metrics)


@functools.cache
def own_metrics(function: str) -> tuple[Metric, ...]:
    """Return the metrics that only some functions have, among them *function*."""
    module = importlib.import_module(f"functions.{function}")
    modules = [module]
    if hasattr(module, "__path__") and importlib.util.find_spec(f"{module.__name__}.metrics") is not None:
        modules.append(importlib.import_module(f"{module.__name__}.metrics"))
    returned = typing.get_type_hints(module.create)["return"]
    modules.append(sys.modules[returned.__module__])
    return tuple(dict.fromkeys(metric for module in modules for metric in _metrics_in(module)))


def _metrics_in(module: object) -> tuple[Metric, ...]:
    """Return the metrics in *module*, each alone or in a tuple with others."""
    metrics: list[Metric] = []
    for _, value in inspect.getmembers(module):
        members = value if isinstance(value, tuple) else (value,)
        metrics += [member for member in members if isinstance(member, Metric)]
    return tuple(metrics)


def _section(title: str, metrics: Iterable[Metric], note: str = "") -> str:
    rows = [[f"`{m.name}`", m.type, _labels(m), m.unit, m.meaning] for m in sorted(metrics, key=lambda m: m.name)]
    return "\n".join([f"## {title}\n", *([f"{note}\n"] if note else []), _table(rows)])


def _process_section() -> str:
    rows = []
    for family in sorted(process_metrics(), key=lambda family: family.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in sorted(family.samples[0].labels))
        unit = Metric(name, "gauge", "").unit
        rows.append([f"`{name}`", family.type, labels, unit, f"{family.documentation.rstrip('.')}."])
    note = f"The process of every function, by prometheus_client. All other names start with `{PREFIX}`."
    return "\n".join([f"## Process\n\n{note}\n", _table(rows)])


def _labels(metric: Metric) -> str:
    return "; ".join(f"`{label}`: {values}" for label, values in metric.labels.items())


def _table(rows: Iterable[list[str]]) -> str:
    lines = ["| metric | type | labels | unit | meaning |", "|---|---|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows), ""]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
