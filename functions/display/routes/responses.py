"""Responses that the routes share."""

import json
from typing import Any

from flask import Response

from functions.display.send import Sender


def text(line: str, status: int) -> Response:
    """Return one line of plain text."""
    return Response(f"{line}\n", status, mimetype="text/plain")


def json_document(document: Any) -> Response:
    """Return *document* as JSON that no cache keeps."""
    return Response(json.dumps(document), mimetype="application/json", headers={"Cache-Control": "no-store"})


def forbidden(sender: Sender | None) -> Response:
    """Return the rejection of a request that *sender* does not allow, with the reason."""
    if sender is None:
        return text("sending is off; DISPLAY_ALLOW_SEND=true allows it", 403)
    return text("only this display's own page may send", 403)
