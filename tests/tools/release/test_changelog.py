"""The checks of the changelog before a release."""

import pytest

from tools.release import changelog
from tools.release.errors import CannotRelease

RELEASED = "# Changes\n\n## 1.2.3 (2026-11-25)\n\nBetter.\n\n## 1.2.2 (2026-11-01)\n\nGood.\n"


def test_released_version_passes() -> None:
    changelog.check(RELEASED, "1.2.3", "v1.2.3")


@pytest.mark.parametrize(
    ("text", "tag", "message"),
    [
        (RELEASED, "v1.2.4", "the tag is v1.2.4, but VERSION"),
        (RELEASED, "1.2.3", "the tag is 1.2.3"),
        (RELEASED.replace("## 1.2.3", "## Unreleased\n\nMore.\n\n## 1.2.3"), "v1.2.3", "has unreleased changes"),
        (RELEASED.replace(" (2026-11-25)", " (not released)"), "v1.2.3", "is `1.2.3 (not released)`, not"),
        (RELEASED.replace("Better.", ""), "v1.2.3", "is empty"),
        ("# Changes\n", "v1.2.3", "the newest section of CHANGELOG.md is ``"),
    ],
)
def test_fault_is_reported(text: str, tag: str, message: str) -> None:
    with pytest.raises(CannotRelease, match=message.replace("(", r"\(").replace(")", r"\)")):
        changelog.check(text, "1.2.3", tag)


def test_notes_are_the_section_of_the_version() -> None:
    assert changelog.notes(RELEASED, "1.2.3") == "Better."


def test_notes_of_a_draft_are_the_unreleased_changes() -> None:
    assert changelog.notes("## Unreleased\n\nMore.\n\n## 1.2.3 (not released)\n\nOld.\n", "1.2.3") == "More."
