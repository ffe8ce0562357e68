"""The security headers of pages and APIs, and both Content-Security-Policies. Pure: a framework sets what is here."""

import base64
import hashlib

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of every response that is not a page: it runs nothing and loads nothing."""

SECURITY_HEADERS = {
    "Content-Security-Policy": API_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""The headers of every response that does not set them itself."""


def page_policy(*, script: str, style: str) -> str:
    """Return the Content-Security-Policy of a page with this one script and style, which talks to its origin only."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_source(script)}",
            f"style-src {_source(style)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        ]
    )


def _source(text: str) -> str:
    """Return the source expression that allows exactly *text*."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
