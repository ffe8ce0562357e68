"""A minimal application on the server that the runtime uses: what a function's figures are compared with."""

import os

import uvicorn

from pipeline.asgi import Receive, Scope, Send, send_response
from runtime.application import read_body


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the request and answer 202."""
    await read_body(receive)
    await send_response(send, 200 if scope["path"].startswith("/health") else 202, [])


if __name__ == "__main__":
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
    )
