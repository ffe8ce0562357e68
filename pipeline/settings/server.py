"""The settings of the process that serves a function."""

import dataclasses

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
