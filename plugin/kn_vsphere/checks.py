"""Checks of flags that commands share, in the predecessor's words."""

from kn_vsphere.errors import CheckError
from kn_vsphere.grammar import Invocation


def require(flags: Invocation, flag: str, label: str, noun: str) -> str:
    """Return the value of a string *flag*. Raises `CheckError` if it is empty.

    *label* is the word in quotes at the beginning of the error, *noun* what is missing.
    """
    value = flags.text(flag)
    if not value:
        raise CheckError(f"'{label}' requires a nonempty {noun} provided with the --{flag} option")
    return value
