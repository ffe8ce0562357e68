"""The README lists the settings of the code. `python -m tests.test_readme` writes them there."""

from pathlib import Path

from tools.settings import CLASSES, tables

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


def with_settings(text: str) -> str:
    """*text* with the tables of settings as they are now."""
    return f"{text.partition(BEGIN)[0]}{BEGIN}\n\n{tables(CLASSES)}\n{END}{text.partition(END)[2]}"


def test_settings_are_those_of_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_settings(text), "run `make settings`"


if __name__ == "__main__":
    README.write_text(with_settings(README.read_text(encoding="utf-8")), encoding="utf-8")
