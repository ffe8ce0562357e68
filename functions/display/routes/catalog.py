"""The event catalogue: the explanation of an event's type."""

from flask import Blueprint, Response, request

from functions.display.routes.responses import json_document, text
from vsphere import catalog


def add(routes: Blueprint) -> None:
    """Add the routes of the catalogue."""

    @routes.get("/api/catalog")
    def event_type() -> Response:
        """The title, category, description, causes and remedies of `?type=`, a CloudEvents type or an event class."""
        name = request.args.get("type", "")
        if not name:
            return text("name an event type: ?type=VmPoweredOffEvent", 400)
        entry = catalog.built_in().find(name)
        return text("the catalogue has no such type", 404) if entry is None else json_document(entry.document())
