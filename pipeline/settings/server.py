"""The settings of the process that serves a function."""

import dataclasses
from pathlib import Path

from pipeline.settings.folders import folders
from pipeline.settings.parsers import one_of, text, whole_number
from pipeline.settings.variable import setting


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """The process that serves a function."""

    function: str = setting(
        "FUNCTION",
        text,
        "Name of the function that this process serves, a module in `functions/`.",
        example="display",
        default="poller",
    )
    host: str = setting(
        "HOST",
        text,
        "Address to listen on.",
        example="127.0.0.1",
        default="0.0.0.0",  # noqa: S104 - a pod's own network
    )
    port: int = setting(
        "PORT", whole_number(0, 65535), "Port to listen on. `0` selects a free port.", example="9090", default="8080"
    )
    threads: int = setting(
        "THREADS",
        whole_number(1, 2000),
        "Maximum concurrent requests. An open stream counts as one.",
        example="128",
        default="64",
    )
    log_level: str = setting(
        "LOG_LEVEL",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "Minimum level of log records: `DEBUG`, `INFO`, `WARNING` or `ERROR`.",
        example="DEBUG",
        default="INFO",
    )
    settings_path: tuple[Path, ...] = setting(
        "SETTINGS_PATH",
        folders,
        "Folders of mounted ConfigMaps and Secrets, separated by colons. A file that is named like a setting has its "
        "value, unless the environment has one. While a setting of the function is missing, events are answered 503. "
        "When settings change, the process drains and starts again with them.",
        example="/etc/vcenter",
        default="",
        unset="none",
    )
