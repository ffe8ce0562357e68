"""Authentication of readers, by a bearer token or a login. Without either, everybody may read."""

import base64
import hmac

from pipeline.settings import Secret

CHALLENGE = 'Basic realm="vCenter events", charset="UTF-8"'
REASON = "this display requires a login (DISPLAY_LOGIN) or a token (DISPLAY_TOKEN)"


class Authenticator:
    """Allows requests with the bearer *token* or the basic *login* ("user:password"). Allows all, if neither is set.

    A browser cannot send a bearer token by itself: it may send the token as the password, with any user name.
    """

    def __init__(self, token: Secret | None, login: Secret | None) -> None:
        self._token = token.reveal().encode() if token is not None else None
        self._login = login.reveal().encode() if login is not None else None

    @staticmethod
    def challenge() -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return the status, headers and body of the response to a request that is not allowed."""
        headers = [(b"content-type", b"text/plain"), (b"www-authenticate", CHALLENGE.encode())]
        return 401, headers, f"{REASON}\n".encode()

    def is_allowed(self, authorization: str) -> bool:
        """Return whether a request with this Authorization header ("" if it has none) may read."""
        if self._token is None and self._login is None:
            return True
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return _is_same(credentials.strip().encode(), self._token)
        if scheme.lower() != "basic":
            return False
        try:
            login = base64.b64decode(credentials.strip(), validate=True)
        except ValueError:
            return False
        return _is_same(login, self._login) | _is_same(login.partition(b":")[2], self._token)


def _is_same(sent: bytes, expected: bytes | None) -> bool:
    return expected is not None and hmac.compare_digest(sent, expected)
