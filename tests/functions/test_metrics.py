"""`/metrics` of every function, scraped in this process and read by Prometheus' own parser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

import func
from pipeline.metrics import PREFIX
from pipeline.settings.variable import REQUIRED, variables
from runtime import VERSION
from runtime.functions import FUNCTIONS, open_function
from tests.support.headers import headers
from tools.metrics import common_metrics, own_metrics
from tools.settings import function_settings, settings_classes

SETTINGS = {
    name: {
        variable.name: variable.example
        for settings in settings_classes(module)
        for variable in variables(settings)
        if variable.default is REQUIRED
    }
    for name, module in function_settings()
}
"""Function → its required settings, with the documented examples."""

OTHER_UNITS = ("milliseconds", "_ms", "minutes", "hours", "days", "kilobytes", "megabytes", "_kb", "_mb", "percent")


@pytest.fixture(params=FUNCTIONS)
def name(request: pytest.FixtureRequest) -> str:
    """Each function there is."""
    return str(request.param)


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: nobody, user: {}}]
"""
"""An API server that does not answer, for the controller."""


@pytest.fixture
def client(name: str, tmp_path: Path) -> Iterator[FlaskClient]:
    """The function's routes. The poller does not begin to poll."""
    credentials = {"VC_USERNAME": "user", "VC_PASSWORD": "pass"}
    environ = {
        **SETTINGS[name],
        **credentials,
        "FOLLOW_SECONDS": "0",
        "CHECKPOINT": f"file:{tmp_path / 'checkpoint.json'}",
        "HORIZON_SECRET_PATH": str(tmp_path),
        "K_SINK": "http://127.0.0.1:9/",
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
    }
    for file, content in {"kubeconfig": KUBECONFIG, "domain": "d", "username": "u", "password": "p"}.items():
        (tmp_path / file).write_text(content, encoding="utf-8")
    function = open_function(name, environ)
    yield func.application(name, function).test_client()
    function.close()


def scrape(client: FlaskClient) -> dict[str, Family]:
    """Return the families of a scrape, by name. Counters are without `_total`. Every name occurs once."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain; version=")
    families = list(text_string_to_metric_families(response.text))
    assert len({family.name for family in families}) == len(families)
    return {family.name: family for family in families}


def test_metrics_are_those_that_the_page_lists(name: str, client: FlaskClient) -> None:
    scraped = {family_name for family_name in scrape(client) if family_name.startswith(PREFIX)}
    described = {metric.name.removesuffix("_total") for metric in (*common_metrics(), *own_metrics(name))}

    assert scraped == described


def test_metrics_have_the_described_type_meaning_and_labels(name: str, client: FlaskClient) -> None:
    families = scrape(client)

    for metric in (*common_metrics(), *own_metrics(name)):
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.type, metric.meaning)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample


def test_names_follow_the_conventions(name: str) -> None:
    for metric in (*common_metrics(), *own_metrics(name)):
        assert re.fullmatch(rf"{PREFIX}[a-z][a-z0-9_]*", metric.name)
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert not any(unit in metric.name for unit in OTHER_UNITS), metric.name
        assert not metric.name.endswith(("_count", "_sum", "_bucket")), metric.name
        assert metric.type != "histogram" or metric.unit, metric.name
        assert metric.meaning.endswith("."), metric.name


def test_process_figures_are_exposed(client: FlaskClient) -> None:
    families = scrape(client)

    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert {"process_cpu_seconds", "process_open_fds", "python_info", "python_gc_collections"} <= set(families)


def test_build_info_has_function_and_version(name: str, client: FlaskClient) -> None:
    [sample] = scrape(client)[f"{PREFIX}build_info"].samples

    assert (sample.value, sample.labels) == (1, {"function": name, "version": VERSION})


def test_rejected_request_counts_once_with_its_duration(name: str, client: FlaskClient) -> None:
    assert client.post("/", data="no event").status_code == 400

    families = scrape(client)
    counts = {sample.labels["outcome"]: sample.value for sample in families[f"{PREFIX}handled"].samples}
    requests = {sample.name: sample.value for sample in families[f"{PREFIX}handling_seconds"].samples}
    assert counts == {"accepted": 0, "replied": 0, "retry": 0, "failed": 0, "rejected": 1}
    assert requests[f"{PREFIX}handling_seconds_count"] == 1


def test_time_series_do_not_grow_with_types_and_sources() -> None:
    function = open_function("display", {})
    client = func.application("display", function).test_client()
    before = sum(len(family.samples) for family in scrape(client).values())

    for number in range(20):
        sent = headers(
            id=str(number), type=f"type.{number}", source=f"/{number}", subject=f"VirtualMachine/vm-{number}"
        )
        assert client.post("/", headers=sent).status_code == 202

    assert sum(len(family.samples) for family in scrape(client).values()) == before
    function.close()
