"""The settings of the HTTP server that every function runs behind."""

import dataclasses

from pipeline import bounds
from pipeline.settings.parsers import duration, whole_number
from pipeline.settings.variable import setting


@dataclasses.dataclass(frozen=True)
class LimitSettings:
    """Limits of the HTTP server."""

    max_connections: int = setting(
        "HTTP_MAX_CONNECTIONS",
        whole_number(1, 1_000_000),
        "Open connections served. Further ones get 503, except for health checks.",
        example="4096",
        default=str(bounds.CONNECTIONS),
    )
    max_header_bytes: int = setting(
        "HTTP_MAX_HEADER_BYTES",
        whole_number(1024, 16_777_216),
        "Size of a request line and its headers. Larger ones get 431.",
        example="65536",
        default=str(bounds.HEADER_BYTES),
    )
    max_headers: int = setting(
        "HTTP_MAX_HEADERS",
        whole_number(8, 100_000),
        "Headers of a request. More get 431.",
        example="256",
        default=str(bounds.HEADERS),
    )
    max_body_bytes: int = setting(
        "HTTP_MAX_BODY_BYTES",
        whole_number(1024, 1_073_741_824),
        "Size of a request body, chunked or not. Larger ones get 413. Brokers accept events of about 1 MiB, and "
        "structured mode can double that.",
        example="2097152",
        default=str(bounds.BODY_BYTES),
    )
    header_seconds: float = setting(
        "HTTP_HEADER_TIMEOUT",
        duration,
        "Time from a connection or the first byte of a request to the end of its headers. Slower ones get 408.",
        example="10s",
        default="10s",
    )
    body_seconds: float = setting(
        "HTTP_BODY_TIMEOUT",
        duration,
        "Time from the end of the headers to the end of the body. Slower ones get 408.",
        example="30s",
        default="30s",
    )
    write_seconds: float = setting(
        "HTTP_WRITE_TIMEOUT",
        duration,
        "Time that a client may leave a response unread. Its connection is then closed.",
        example="30s",
        default="30s",
    )
    idle_seconds: float = setting(
        "HTTP_IDLE_TIMEOUT",
        duration,
        "Time that a connection may be idle between requests. Keep it above 90s, after which Go clients such as "
        "Knative close first, so that no request crosses the close.",
        example="120s",
        default="120s",
    )
