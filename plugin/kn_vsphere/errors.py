"""The errors that a person reads as one line."""


class CommandError(Exception):
    """A command failed. The text is the line after `Error: `: it says what was attempted and what came back."""


class CheckError(CommandError):
    """A flag is missing or contradicts another one. The text is followed by a hint at the command's help."""
