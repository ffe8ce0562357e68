"""The one error of this package."""


class CannotRelease(Exception):
    """A check before the release failed, or a program that it needs did. The message says what to do."""
