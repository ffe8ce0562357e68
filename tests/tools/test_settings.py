"""docs/reference/settings.md matches the code, and all meanings have one style."""

import re

import pytest

from pipeline.settings import ServerSettings, Variable, variables
from tools.settings import PAGE, function_settings, page, settings_classes
from vsphere.settings import VCenterSettings

# apprise imports a deprecated module, which it can do without.

CLASSES = [
    ServerSettings,
    VCenterSettings,
    *(cls for _, module in function_settings() for cls in settings_classes(module)),
]
VARIABLES = {variable.name: variable for cls in CLASSES for variable in variables(cls)}


def test_page_matches_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make settings`"


def test_every_function_has_a_section() -> None:
    sections = re.findall(r"^## (\w+)$", page(), re.MULTILINE)

    assert {"poller", "display", "deadletter", "notify", "tag", "webhook"} <= set(sections)


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=lambda variable: variable.name)
def test_meaning_is_sentences(variable: Variable) -> None:
    assert re.match(r"[A-Z`]|apprise", variable.meaning), "must begin with a capital"
    assert variable.meaning.endswith(".")
    assert ";" not in variable.meaning
    assert "unset" not in variable.meaning, "the column of defaults says it"


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=lambda variable: variable.name)
def test_example_and_default_are_valid(variable: Variable) -> None:
    if isinstance(variable.default, str) and variable.default:
        variable.parse(variable.default)
    if not variable.example.startswith(("/", "'")):  # files that exist elsewhere, and secrets
        variable.parse(variable.example)
