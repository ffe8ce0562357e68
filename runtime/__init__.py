"""The function runtime: HTTP in, a function's work, HTTP out.

`protocol` reads requests within limits, `application` routes them, `server` listens and drains, `settings` names the
limits. What belongs here: everything that every function's process shares between the socket and the function. What
never does: a function, vSphere, parliament.
"""

VERSION = "0.1.0"
"""The version of the software."""
