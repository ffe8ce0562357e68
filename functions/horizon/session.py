"""A session with a Horizon server: login, refresh and logout, and pages of its audit events.

Every response is checked: its status, its size, its type and its content. No redirect is followed. A message never
contains the password or a token, also if the server sends them back.
"""

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import structlog

from functions.horizon.cursor import Query
from functions.horizon.errors import HorizonRejected, HorizonUnavailable
from functions.horizon.settings import Login, ServerSettings
from pipeline import bounds
from pipeline.cloudevents import json_text
from pipeline.errors import cut
from pipeline.http_client import HTTPClient, NoResponse, Response

log = structlog.get_logger()

REQUEST_SECONDS = 10.0
"""The maximum time for a whole response."""
SHORT_SECONDS = 2.5
"""The same for the logout, while the process has 10 s to end. Tokens that are not logged out expire by themselves."""
MAX_ATTEMPTS = 3
"""Attempts at one request: with the token that there is, with a refreshed one, and after another login."""
REJECTED_LOGIN_PAUSE_SECONDS = 300.0
"""The time for which rejected credentials are not used again, because a domain locks accounts after some rejections."""
MAX_SECRETS = 6
"""Maximum number of secrets that are kept to leave them out of messages: the password and the last tokens."""
EVENTS_PATH = "/rest/external/v1/audit-events"
MORE_RECORDS = "has_more_records"


class Page(NamedTuple):
    """One page of events."""

    items: list[Any]
    has_more: bool
    """True if Horizon cut the page off."""


class Tokens(NamedTuple):
    """The tokens of a session."""

    access: str
    """Lives for half an hour."""
    refresh: str
    """Gets another access token, for eight hours. Empty if Horizon gave none."""


class Session:
    """One session, which `fetch` starts and renews. For use by one thread at a time."""

    def __init__(self, settings: ServerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Use the server of *settings*. *clock* is monotonic, in seconds."""
        self._settings = settings
        self._clock = clock
        self._client = HTTPClient(ca_bundle=settings.ca_bundle, insecure=settings.insecure)
        self._tokens: Tokens | None = None
        self._secrets: tuple[str, ...] = ()
        self._rejected: tuple[str, float] | None = None
        self.has_logged_in = False
        """True once a login succeeded, from then on always."""

    @property
    def connected(self) -> bool:
        """True while there is a session, as far as is known here."""
        return self._tokens is not None

    @property
    def tokens(self) -> Tokens | None:
        """The tokens of the session, None if there is none."""
        return self._tokens

    def connect(self) -> Tokens:
        """Log in with the credentials as they are now, and return the tokens. Does nothing while there is a session.

        Raises `HorizonUnavailable`, `HorizonRejected` or `SettingsError`.
        """
        if self._tokens is None:
            self._tokens = self._log_in(self._settings.login())
        return self._tokens

    def fetch(self, query: Query) -> Page:
        """Return the page that *query* asks for. Logs in and renews the session as needed.

        Raises `HorizonUnavailable`, `HorizonRejected` or `SettingsError`.
        """
        operation = "get events"
        for attempt in range(MAX_ATTEMPTS):
            tokens = self.connect()
            response = self._send("GET", f"{EVENTS_PATH}?{_parameters(query)}", operation, token=tokens.access)
            if response.status != 401:
                return self._page(operation, response, query.size)
            self._tokens = self._refresh(tokens) if attempt == 0 and tokens.refresh else None
        raise HorizonUnavailable(f"{operation}: Horizon rejects the token that it has just given")

    def log_out(self) -> None:
        """End the session. Raises `HorizonUnavailable`, also if the token has expired."""
        tokens, self._tokens = self._tokens, None
        if tokens is None:
            return
        operation = "log out"
        response = self._send(
            "POST", "/rest/logout", operation, {"refresh_token": tokens.refresh}, tokens.access, SHORT_SECONDS
        )
        if response.status in (400, 401):
            raise HorizonUnavailable(f"{operation}: the token is invalid or has expired")
        self._check_status(operation, response)

    def close(self) -> None:
        """Log out, as far as possible, and drop every connection. Raises nothing."""
        with contextlib.suppress(HorizonUnavailable, HorizonRejected):
            self.log_out()
        with self._client:
            pass

    def _log_in(self, login: Login) -> Tokens:
        url, password = self._settings.url, login.password.reveal()
        operation = f"log in to {url} as {cut(login.domain, 100)}\\{cut(login.username, 100)}"
        fingerprint = hashlib.sha256("\0".join((login.domain, login.username, password)).encode()).hexdigest()
        if self._rejected and self._rejected[0] == fingerprint and self._clock() < self._rejected[1]:
            raise HorizonRejected(
                f"{operation}: Horizon rejects the credentials; the same ones are used again in "
                f"{self._rejected[1] - self._clock():.0f} s, changed ones at once"
            )
        body = {"domain": login.domain, "username": login.username, "password": password}
        self._secrets = (password,)
        response = self._send("POST", "/rest/login", operation, body)
        if response.status in (400, 401, 403):
            self._rejected = fingerprint, self._clock() + REJECTED_LOGIN_PAUSE_SECONDS
            raise HorizonRejected(f"{operation}: Horizon rejects the credentials: status {response.status}")
        fields = self._object(operation, response)
        refresh = fields.get("refresh_token")
        tokens = Tokens(_token(operation, fields), str(refresh) if _is_token(refresh) else "")
        self._rejected = None
        self._secrets = (password, *filter(None, tokens))
        self.has_logged_in = True
        log.info("Connected to Horizon", url=url, domain=login.domain, user=login.username)
        return tokens

    def _refresh(self, tokens: Tokens) -> Tokens | None:
        """Return *tokens* with another access token, or None if the refresh token is invalid or has expired."""
        operation = "refresh the token"
        response = self._send("POST", "/rest/refresh", operation, {"refresh_token": tokens.refresh})
        if response.status in (400, 401):
            return None
        refreshed = Tokens(_token(operation, self._object(operation, response)), tokens.refresh)
        self._secrets = (*self._secrets, refreshed.access)[-MAX_SECRETS:]
        return refreshed

    def _send(
        self,
        method: str,
        path: str,
        operation: str,
        body: Mapping[str, str] | None = None,
        token: str = "",
        seconds: float = REQUEST_SECONDS,
    ) -> Response:
        """Return the response, whatever its status. Raises `HorizonUnavailable` or `HorizonRejected`."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            response = self._client.send(
                method,
                self._settings.url.rstrip("/") + path,
                headers,
                b"" if body is None else json.dumps(body).encode(),
                seconds=seconds,
                max_bytes=bounds.HORIZON_RESPONSE_BYTES + 1,
            )
        except NoResponse as error:
            host = urlsplit(self._settings.url).netloc
            if "Certificate" in error.reason:
                raise HorizonRejected(
                    f"{operation}: the certificate of {host} is not trusted; set HORIZON_CA_BUNDLE to a file with the "
                    "authority that signed it, or HORIZON_INSECURE=true for a test"
                ) from error
            raise HorizonUnavailable(f"{operation} at {host}: {self._hidden(str(error))}") from error
        if len(response.body) > bounds.HORIZON_RESPONSE_BYTES:
            raise HorizonUnavailable(f"{operation}: the response has more than {bounds.HORIZON_RESPONSE_BYTES} bytes")
        return response

    def _page(self, operation: str, response: Response, size: int) -> Page:
        items = self._json(operation, response)
        if not isinstance(items, list):
            raise HorizonUnavailable(f"{operation}: the response is not a list")
        more = response.headers.get(MORE_RECORDS, "").strip().lower() == "true"
        return Page(items, more or len(items) >= size)

    def _object(self, operation: str, response: Response) -> dict[str, Any]:
        fields = self._json(operation, response)
        if not isinstance(fields, dict):
            raise HorizonUnavailable(f"{operation}: the response is not a JSON object")
        return fields

    def _json(self, operation: str, response: Response) -> Any:
        self._check_status(operation, response)
        content_type = response.headers.get("content-type", "")
        if not re.match(r"application/json\s*(;|$)", content_type.lower()):
            raise HorizonUnavailable(f"{operation}: the response is not JSON but {cut(content_type, 100)!r}")
        try:
            return json_text.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise HorizonUnavailable(f"{operation}: the response is not JSON: {type(error).__name__}") from None

    def _check_status(self, operation: str, response: Response) -> None:
        if response.status == 409:
            raise HorizonUnavailable(f"{operation}: status 409, Horizon's event database may not be set up")
        if not response.is_success:
            text = cut(self._hidden(response.body[: bounds.HORIZON_ERROR_BYTES].decode("utf-8", "replace")))
            raise HorizonUnavailable(f"{operation}: unexpected status code: {response.status} {text}".rstrip())

    def _hidden(self, text: str) -> str:
        """Return *text* without the password and the tokens, which a server may send back."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _parameters(query: Query) -> str:
    """Return the query string of *query*."""
    page = {"size": query.size, "page": query.page}
    if query.newest_only:
        return urlencode(page)
    period = {"type": "Between", "fromValue": query.begin_ms, "name": "time", "toValue": query.end_ms}
    return urlencode({"filter": json.dumps(period, separators=(",", ":")), **page})


def _is_token(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(rf"[!-~]{{1,{bounds.HORIZON_TOKEN_CHARACTERS}}}", value))


def _token(operation: str, fields: Mapping[str, Any]) -> str:
    token = fields.get("access_token")
    if not _is_token(token):
        raise HorizonUnavailable(f"{operation}: the response has no usable access_token")
    return str(token)
