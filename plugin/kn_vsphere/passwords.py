"""Passwords of people and of scripts."""

import getpass

from kn_vsphere.call import Call


def typed(call: Call) -> str:
    """Return what a person types at the terminal, which does not show it."""
    return getpass.getpass("Password:", stream=call.err)


def piped(call: Call) -> str:
    """Return the standard input without one line end."""
    return call.stdin.read().removesuffix("\n").removesuffix("\r")
