"""The changelog: what it says of a version, and if it is complete enough for a release."""

import re

from tools.release.errors import CannotRelease

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_RELEASED = re.compile(r"(\d+\.\d+\.\d+) \(\d{4}-\d\d-\d\d\)")


def sections(changelog: str) -> dict[str, str]:
    """Return heading → text of each section, newest first."""
    parts = _HEADING.split(changelog)
    return {heading.strip(): text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def check(changelog: str, version: str, tag: str) -> None:
    """Check that *tag* names *version*, and that the newest section is the version's, with a date.

    Raises `CannotRelease` with every fault.
    """
    parsed = sections(changelog)
    newest = next((heading for heading in parsed if heading != "Unreleased"), "")
    faults = []
    if tag != f"v{version}":
        faults.append(f"the tag is {tag}, but VERSION in runtime/__init__.py is {version}")
    if parsed.get("Unreleased"):
        faults.append(f"CHANGELOG.md has unreleased changes. Move them below `## {version} (date)`")
    match = _RELEASED.fullmatch(newest)
    if not match or match[1] != version:
        faults.append(f"the newest section of CHANGELOG.md is `{newest}`, not `{version} (YYYY-MM-DD)`")
    elif not parsed[newest]:
        faults.append(f"the section `{newest}` of CHANGELOG.md is empty")
    if faults:
        raise CannotRelease("; ".join(faults))


def notes(changelog: str, version: str) -> str:
    """Return the text about *version*: its section, or the unreleased changes if it has none with a date."""
    parsed = sections(changelog)
    for heading, text in parsed.items():
        match = _RELEASED.fullmatch(heading)
        if match and match[1] == version:
            return text
    return parsed.get("Unreleased", "")
