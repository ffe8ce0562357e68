"""The one error of every request to the API server."""

from pipeline.errors import TemporaryError

UNREACHABLE = "Unreachable"
"""The reason of an error without a response."""


class ClusterError(TemporaryError):
    """A request failed. The next pass retries it, because whatever was wrong may have changed by then."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status = status
        """The HTTP status, or 0 if there is no response."""
        self.reason = reason
        """Kubernetes' word, such as `NotFound`, `AlreadyExists`, `Conflict`, `Expired`, or `Unreachable`."""
        self.message = message
        """The API server's own sentence, such as `deployments.apps "x" not found`."""
        super().__init__(message)

    @property
    def is_not_found(self) -> bool:
        """The object or its kind does not exist."""
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        """The object was written after it was read."""
        return self.status == 409 and self.reason == "Conflict"

    @property
    def already_exists(self) -> bool:
        """An object of that name exists."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def is_expired(self) -> bool:
        """The server no longer knows the version from which a watch or a list should go on."""
        return self.status == 410

    @property
    def is_invalid(self) -> bool:
        """The server rejects the object as it is: 400 or 422."""
        return self.status in (400, 422)
