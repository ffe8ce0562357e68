"""README's tables of settings."""

import dataclasses
from collections.abc import Iterable

from functions.deadletter.settings import DeadletterSettings
from functions.display.settings import DisplaySettings
from functions.poller.settings import PollerSettings, SinkSettings
from pipeline.settings import (
    AttributeSettings,
    CapacitySettings,
    FailoverSettings,
    MaintenanceSettings,
    NotifySettings,
    PreemptSettings,
    ServerSettings,
    TagSettings,
    WebhookSettings,
)
from pipeline.settings.variable import REQUIRED, Variable
from vsphere.settings import VCenterSettings

CLASSES = (
    ServerSettings,
    VCenterSettings,
    SinkSettings,
    PollerSettings,
    DisplaySettings,
    NotifySettings,
    DeadletterSettings,
    TagSettings,
    AttributeSettings,
    MaintenanceSettings,
    FailoverSettings,
    CapacitySettings,
    PreemptSettings,
    WebhookSettings,
)
"""All settings classes, in the order of the documentation."""


def tables(classes: Iterable[type]) -> str:
    """A Markdown table for each of the settings *classes* that has variables of its own."""
    parts: list[str] = []
    for settings in classes:
        own = [field.metadata["variable"] for field in dataclasses.fields(settings) if "variable" in field.metadata]
        if own:
            parts.append(_table((settings.__doc__ or "").partition("\n")[0].rstrip("."), own))
    return "\n".join(parts)


def _table(title: str, rows: list[Variable]) -> str:
    lines = [f"**{title}**", "", "| variable | meaning | default | example |", "|---|---|---|---|"]
    for row in rows:
        default = "required" if row.default is REQUIRED else f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.name}` | {_cell(row.meaning)} | {_cell(default)} | `{_cell(row.example)}` |")
    return "\n".join([*lines, ""])


def _cell(words: str) -> str:
    return " ".join(words.replace("|", "\\|").split())
