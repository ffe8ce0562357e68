"""Tests of the plugin that runs a failing cluster test once more."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent.parent
TESTS = """
import pathlib, pytest

def runs(name):
    file = pathlib.Path(name)
    file.write_text(file.read_text() + "x" if file.exists() else "x")
    return len(file.read_text())

@pytest.mark.cluster
def test_first_fails():
    assert runs("first") == 2, "the webhook is not up"

@pytest.fixture
def needed():
    assert runs("fixture") == 2, "no namespace"

@pytest.mark.cluster
def test_fixture_fails(needed):
    pass

@pytest.mark.cluster
def test_always_fails():
    runs("always")
    raise AssertionError("a fault")

def test_without_a_cluster():
    assert runs("plain") == 2
"""


def test_only_cluster_tests_run_twice(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\nmarkers = cluster\n")
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_subprocess("-p", "tests.support.flaky", "-p", "no:cacheprovider")

    assert result.parseoutcomes() == {"failed": 2, "passed": 2, "rerun": 3}
    assert (pytester.path / "always").read_text() == "xx"
    assert (pytester.path / "plain").read_text() == "x"
    first, second = [line for line in result.outlines if line.startswith("FLAKY ")]
    assert "::test_first_fails - AssertionError: the webhook is not up" in first
    assert "::test_fixture_fails - AssertionError: no namespace" in second


@pytest.mark.parametrize(
    ("test", "options", "message"),
    [
        ("@pytest.mark.flaky\ndef test_a(): pass", [], "test_a is marked flaky"),
        ("def test_a(): pass", ["--reruns", "2"], "--reruns would also rerun"),
    ],
    ids=["marker", "option"],
)
def test_other_reruns_are_rejected(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, test: str, options: list[str], message: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(f"import pytest\n{test}")

    result = pytester.runpytest_subprocess("-p", "tests.support.flaky", *options)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in "\n".join(result.errlines + result.outlines)
