"""The settings: the only reader of the environment.

What a process can be told is a frozen dataclass of fields made by `setting`, which state variable, meaning, default and
example; `read` parses them all and raises one `SettingsError` with every fault. `variable` is how, `parsers` turn text
into values, the other modules are the settings themselves. README's tables are held to them by a test.
"""

from pipeline.settings.notify import NotifySettings, QuietHours
from pipeline.settings.parsers import flag, http_url, text, whole_number
from pipeline.settings.reactions import (
    AttributeSettings,
    CapacitySettings,
    FailoverSettings,
    MaintenanceSettings,
    PreemptSettings,
    TagSettings,
    WebhookSettings,
)
from pipeline.settings.server import ServerSettings
from pipeline.settings.variable import Secret, Variable, read, setting, variables

__all__ = [
    "AttributeSettings",
    "CapacitySettings",
    "FailoverSettings",
    "MaintenanceSettings",
    "NotifySettings",
    "PreemptSettings",
    "QuietHours",
    "Secret",
    "ServerSettings",
    "TagSettings",
    "Variable",
    "WebhookSettings",
    "flag",
    "http_url",
    "read",
    "setting",
    "text",
    "variables",
    "whole_number",
]
