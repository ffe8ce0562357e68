"""uvicorn's classes for one connection, without its command line.

Its package imports the command line, and with it click: an eighth of the time that a function takes to start.
"""

import sys
import types

COMMAND_LINE = "uvicorn.main"

if COMMAND_LINE not in sys.modules:
    stand_in = types.ModuleType(COMMAND_LINE)
    vars(stand_in).update(Server=None, main=None, run=None)  # the names that the package imports
    sys.modules[COMMAND_LINE] = stand_in
    import uvicorn

    del sys.modules[COMMAND_LINE], uvicorn.main

from uvicorn.config import Config  # noqa: E402 - after the stand-in
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle  # noqa: E402
from uvicorn.server import ServerState  # noqa: E402

__all__ = ["Config", "HttpToolsProtocol", "RequestResponseCycle", "ServerState"]
