"""A notification service, called through apprise."""

import apprise
import structlog

from functions.notify.message import Message
from pipeline.settings import Secret
from vsphere import severity

NOTIFY_TYPES = {
    severity.INFO: apprise.NotifyType.INFO,
    severity.WARNING: apprise.NotifyType.WARNING,
    severity.ERROR: apprise.NotifyType.FAILURE,
}

log = structlog.get_logger()


class Service:
    """One URL of NOTIFY_URLS."""

    def __init__(self, number: int, url: Secret) -> None:
        """*number* is the position in NOTIFY_URLS, from 1. It names the service, because the URL is secret."""
        # A redirect would send the message elsewhere. `redirect=yes` in the URL allows it.
        self._apprise = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
        self._apprise.add(url.reveal())
        self.name = f"number {number} ({self._apprise[0].service_name})"

    def notify(self, message: Message) -> bool:
        """Send *message*, and return whether the service accepted it.

        Blocks until then, at most for apprise's timeouts (4 s to connect, 4 s for the response).
        """
        try:
            return bool(
                self._apprise.notify(
                    title=message.title,
                    body=message.body,
                    notify_type=NOTIFY_TYPES[message.severity],
                    body_format=apprise.NotifyFormat.TEXT,
                )
            )
        except Exception as error:  # noqa: BLE001 - apprise has over a hundred plugins, which may raise anything
            # Without the error's text, which may contain the URL.
            log.warning("service failed", service=self.name, error=type(error).__name__)
            return False
