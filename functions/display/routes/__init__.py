"""The display's HTTP routes: a module for each resource, and the access to all of them.

`openapi.json` describes them. What never belongs here: anything that works without HTTP.
"""

from flask import Blueprint

from functions.display.app_state import AppState
from functions.display.routes import about, access, catalog, dead_letters, events, page, rejected, search, send


def blueprint(state: AppState) -> Blueprint:
    """Return all routes over *state* that run in threads, which is all but the stream."""
    routes = Blueprint("display", __name__)
    access.add(routes, state)
    page.add(routes, state)
    events.add(routes, state)
    search.add(routes, state)
    rejected.add(routes, state)
    send.add(routes, state)
    dead_letters.add(routes, state)
    catalog.add(routes)
    about.add(routes, state)
    return routes
