"""The machinery of settings, and the only reader of the environment.

Settings are frozen dataclasses of fields made by `setting`, which has the variable's name, meaning, default and
example. `read` parses all of them, and raises one `SettingsError` with every error. Each function has its settings
beside its code, in `functions/NAME.py` or `functions/NAME/settings.py`. `make settings` lists them in
`docs/reference/settings.md`.

What never belongs here: the settings of one function, or a parser that only one of them uses.
"""

from pipeline.settings.folders import complete
from pipeline.settings.parsers import duration, existing_file, flag, http_url, one_of, text, whole_number
from pipeline.settings.server import ServerSettings
from pipeline.settings.variable import Environ, Secret, Variable, read, setting, variables

__all__ = [
    "Environ",
    "Secret",
    "ServerSettings",
    "Variable",
    "complete",
    "duration",
    "existing_file",
    "flag",
    "http_url",
    "one_of",
    "read",
    "setting",
    "text",
    "variables",
    "whole_number",
]
