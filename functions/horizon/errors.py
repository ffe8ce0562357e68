"""Horizon's errors, in the program's two families."""

from pipeline.errors import PermanentError, TemporaryError


class HorizonUnavailable(TemporaryError):
    """Horizon cannot be reached, or does not answer as it should."""


class HorizonRejected(PermanentError):
    """Horizon rejects the login, or its certificate is not trusted."""
