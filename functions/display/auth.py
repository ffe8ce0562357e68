"""Who may read: everybody, unless a token or a login is set."""

import base64
import hmac

from pipeline.settings import Secret

CHALLENGE = 'Basic realm="vCenter events", charset="UTF-8"'
ASKS = "this display asks for a login (DISPLAY_LOGIN) or a token (DISPLAY_TOKEN)"


class Guard:
    """Lets in who brings the bearer *token* or the basic *login* ("user:password"); all, if neither is set.

    A browser cannot send a bearer token by itself: it may give the token as the password, with any user name.
    """

    def __init__(self, token: Secret | None, login: Secret | None) -> None:
        self._token = token.reveal().encode() if token is not None else None
        self._login = login.reveal().encode() if login is not None else None

    @staticmethod
    def challenge() -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return the status, headers and body that ask for a login."""
        return 401, [(b"content-type", b"text/plain"), (b"www-authenticate", CHALLENGE.encode())], f"{ASKS}\n".encode()

    def admits(self, authorization: str) -> bool:
        """Whether this Authorization header ("" if there was none) lets its sender in."""
        if self._token is None and self._login is None:
            return True
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return _same(given.strip().encode(), self._token)
        if scheme.lower() != "basic":
            return False
        try:
            login = base64.b64decode(given.strip(), validate=True)
        except ValueError:
            return False
        return _same(login, self._login) | _same(login.partition(b":")[2], self._token)


def _same(given: bytes, wanted: bytes | None) -> bool:
    return wanted is not None and hmac.compare_digest(given, wanted)
