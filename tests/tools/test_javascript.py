"""The checks of the page's JavaScript: how they get their tools."""

import sys
from pathlib import Path

import pytest

from tools.javascript import __main__ as javascript
from tools.javascript.__main__ import CannotCheck


@pytest.mark.parametrize(
    ("version", "expected"), [("v18.0.0\n", True), ("v24.19.0\n", True), ("v16.20.2\n", False), ("", False)]
)
def test_node_on_the_path_is_used_if_it_is_new_enough(version: str, expected: bool) -> None:
    assert javascript.is_new_enough(version) is expected


def test_lock_file_has_integrities_and_no_registry() -> None:
    lock = (javascript.HERE / "package-lock.json").read_text()

    assert lock.count('"integrity"') == 2
    assert '"resolved"' not in lock


def test_failed_installation_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match=r"(?s)`make lint` again with a connection.*no network"):
        javascript.execute([sys.executable, "-c", "raise SystemExit('no network')"], tmp_path)


def test_missing_program_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="No such file"):
        javascript.execute(["no-such-program"], tmp_path)


def test_interrupted_installation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(javascript, "CACHE", tmp_path)

    def fail(target: Path) -> None:
        (target / "half").touch()
        raise CannotCheck("no network")

    with pytest.raises(CannotCheck):
        javascript.install("tools", fail)
    assert list(tmp_path.iterdir()) == []
