"""The two methods of AlarmManager that the simulator lacks, in front of it: everything else is the simulator's."""

import re
import ssl
import threading
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)

_CALL = re.compile(rb"<(AreAlarmActionsEnabled|EnableAlarmActions) .*?<entity[^>]*>([^<]+)</entity>", re.DOTALL)


class Alarms:
    """A vCenter whose objects have alarm actions, enabled until they are disabled; a context manager."""

    def __init__(self, port: int) -> None:
        """In front of the simulator on *port*."""
        self.disabled: set[str] = set()
        """The ids of objects whose alarm actions are off."""
        self.changes: list[tuple[str, bool]] = []
        """Every change that was asked for, in order."""
        alarms = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, headers, answer = alarms._answer(body) or alarms._pass_on(port, self.path, self.headers, body)
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/sdk"

    def _answer(self, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """The answer to one of the two methods; None for any other."""
        called = re.search(
            rb"<(AreAlarmActionsEnabled|EnableAlarmActions) .*?<entity[^>]*>([^<]+)</entity>", body, re.DOTALL
        )
        if called is None:
            return None
        method, entity = called[1].decode(), called[2].decode()
        if method == "AreAlarmActionsEnabled":
            value = str(entity not in self.disabled).lower()
            inner = f'<{method}Response xmlns="urn:vim25"><returnval>{value}</returnval></{method}Response>'
        else:
            enabled = re.search(rb"<enabled[^>]*>(true|1)<", body) is not None
            self.changes.append((entity, enabled))
            (self.disabled.discard if enabled else self.disabled.add)(entity)
            inner = f'<{method}Response xmlns="urn:vim25"></{method}Response>'
        return 200, {"content-type": "text/xml"}, ENVELOPE.format(inner).encode()

    @staticmethod
    def _pass_on(port: int, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context())
        try:
            passed = {name: headers[name] for name in ("Cookie", "SOAPAction", "Content-Type") if headers[name]}
            connection.request("POST", path, body, passed)
            response = connection.getresponse()
            kept = {name: value for name in ("set-cookie", "content-type") if (value := response.getheader(name))}
            return (
                response.status,
                {name: value.replace("; Secure", "") for name, value in kept.items()},
                response.read(),
            )
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
