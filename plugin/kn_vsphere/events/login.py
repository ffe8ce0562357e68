"""The session of `kn vsphere events`: the vCenter and the login, by flags or by the variables of a VSphereBinding."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from kn_vsphere import passwords
from kn_vsphere.call import Call
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.vcenter import connected
from pipeline.errors import SettingsError
from pipeline.settings import read
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.history import check_selection
from vsphere.session import Session
from vsphere.settings import VCenterSettings

NO_ADDRESS = "no vCenter is named: use --vc-address, or the variable VC_URL"
NO_LOGIN = (
    "no login is given: use --username and --password-stdin, or the variables VC_USERNAME and VC_PASSWORD, or mount "
    "them in VC_SECRET_PATH"
)
REMEDIES = {
    VCenterUnavailable: "Check the address (--vc-address or VC_URL), and that this machine reaches it",
    VCenterRejected: "Check --username and the password. --ca-bundle and --skip-tls-verify concern the certificate",
}


def names_vcenter(call: Call) -> bool:
    """Return whether the flags or the environment name a vCenter."""
    return bool(call.flags.text("vc-address") or call.environ.get("VC_URL"))


@contextlib.contextmanager
def session(call: Call) -> Iterator[Session]:
    """Yield a session at the vCenter of the flags, and log out. Raises `CheckError` and `CommandError`."""
    try:
        with connected(call, settings(call)) as current:
            yield current
    except (VCenterRejected, VCenterUnavailable) as error:
        raise CommandError(f"{error}. {REMEDIES[type(error)]}") from error


def settings(call: Call) -> VCenterSettings:
    """Return the settings that the flags and the environment mean. Raises `CheckError`."""
    if not names_vcenter(call):
        raise CheckError(NO_ADDRESS)
    try:
        result = read(VCenterSettings, variables(call))
        check_selection(result)
    except SettingsError as error:
        errors = [NO_LOGIN if "VC_USERNAME and VC_PASSWORD are not both set" in text else text for text in error.errors]
        raise CheckError(". ".join(_with_flags(text) for text in errors)) from error
    return result


def variables(call: Call) -> Mapping[str, str]:
    """Return the settings as variables. A flag replaces its variable, and a login in flags replaces a mounted one."""
    flags = call.flags
    environ = {name: value for name, value in call.environ.items() if name not in ("EVENT_TYPES", "ENTITY")}
    given = {
        "VC_URL": flags.text("vc-address"),
        "VC_CA_BUNDLE": flags.text("ca-bundle"),
        "VC_USERNAME": flags.text("username"),
        "VC_PASSWORD": _password(call),
        "EVENT_TYPES": flags.text("type") if "type" in flags.values else "",
        "ENTITY": flags.text("entity") if "entity" in flags.values else "",
    }
    environ |= {name: value for name, value in given.items() if value}
    if "skip-tls-verify" in flags.given:
        environ["VC_INSECURE"] = str(flags.is_set("skip-tls-verify")).lower()
    if given["VC_USERNAME"] or given["VC_PASSWORD"]:
        environ["VC_SECRET_PATH"] = os.devnull
    environ["VC_URL"] = _without_login(environ["VC_URL"])
    if environ.get("EVENT_TYPES"):
        environ["EVENT_TYPES"] = _class_names(environ["EVENT_TYPES"])
    return environ


def _without_login(url: str) -> str:
    """Return *url* with a scheme, and without the user name and password that somebody wrote into it."""
    scheme, separator, rest = url.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme or 'https'}{separator or '://'}{host.rpartition('@')[2]}{slash}{path}"


def _password(call: Call) -> str:
    """Return the password of the flags, of the standard input, or of a person at a terminal, or ""."""
    flags = call.flags
    if flags.is_set("password-stdin"):
        return passwords.piped(call)
    needed = flags.text("username") and not flags.text("password") and not call.environ.get("VC_PASSWORD")
    if needed and call.stdin.isatty():
        return passwords.typed(call)
    return flags.text("password")


def _class_names(types: str) -> str:
    """Return *types* without the beginning and end of CloudEvents types."""
    from vsphere.catalog import type_name  # noqa: PLC0415 - for `--type` only

    return ",".join(type_name(name) for name in types.replace(",", " ").split())


def _with_flags(text: str) -> str:
    """Return a settings error with the names of flags in place of those of variables."""
    for variable, flag in (("EVENT_TYPES", "--type"), ("ENTITY", "--entity"), ("VC_CA_BUNDLE", "--ca-bundle")):
        text = text.replace(variable, flag)
    return text
