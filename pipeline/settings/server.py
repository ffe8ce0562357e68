"""The process of every function."""

import dataclasses

from pipeline.settings.parsers import one_of, text, whole_number
from pipeline.settings.variable import setting


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """What every function's process needs, whatever the function."""

    function: str = setting(
        "FUNCTION", text, "which function of functions/ this process runs", example="display", default="poller"
    )
    host: str = setting(
        "HOST",
        text,
        "address to listen on; 127.0.0.1 when run locally",
        example="127.0.0.1",
        default="0.0.0.0",  # noqa: S104 - a pod's own network
    )
    port: int = setting(
        "PORT", whole_number(0, 65535), "port to listen on; 0 picks a free one", example="8080", default="8080"
    )
    threads: int = setting(
        "THREADS",
        whole_number(1, 2000),
        "requests served at once; an open stream holds one",
        example="64",
        default="64",
    )
    log_level: str = setting(
        "LOG_LEVEL",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "least severity that is logged",
        example="DEBUG",
        default="INFO",
    )
