"""The translation of errors that pyVmomi, requests and the network raise."""

import ssl
from xml.etree import ElementTree

import pytest
import requests
from pyVmomi import vim, vmodl

from pipeline.errors import ObjectNotFound, VCenterEventsError
from vsphere.errors import VCenterRejected, VCenterUnavailable, check_status, translate_errors

NOT_FOUND = vmodl.fault.ManagedObjectNotFound(msg="gone")
UNTRUSTED = ssl.SSLCertVerificationError(1, "untrusted")
UNTRUSTED.verify_message = "self-signed certificate"
VIEW, POWER = (vim.fault.NoPermission(privilegeId=name) for name in ("System.View", "VirtualMachine.Interact.PowerOff"))


@pytest.mark.parametrize(
    ("error", "on_object", "expected", "text"),
    [
        (vim.fault.InvalidLogin(), False, VCenterRejected, "rejects user name and password"),
        (vim.fault.NotAuthenticated(), False, VCenterUnavailable, "session has ended"),
        (vim.fault.NotAuthenticated(), True, VCenterUnavailable, "session has ended"),
        (VIEW, False, VCenterUnavailable, "session has ended, or its user may not read events"),
        (VIEW, True, VCenterRejected, "lacks the privilege System.View"),
        (POWER, False, VCenterRejected, "lacks the privilege VirtualMachine.Interact.PowerOff"),
        (NOT_FOUND, False, VCenterUnavailable, "ManagedObjectNotFound: gone"),
        (NOT_FOUND, True, ObjectNotFound, "does not exist any more"),
        (vim.fault.Timedout(msg="too late"), True, VCenterUnavailable, "Timedout: too late"),
        (UNTRUSTED, False, VCenterRejected, "VC_CA_BUNDLE"),
        (ssl.SSLEOFError(8, "closed"), False, VCenterUnavailable, "closed"),
        (ConnectionRefusedError(111, "Connection refused"), False, VCenterUnavailable, "Connection refused"),
        (requests.ConnectionError("unreachable"), False, VCenterUnavailable, "unreachable"),
        (ElementTree.ParseError("no element"), True, VCenterUnavailable, "no element"),
        (EOFError(), False, VCenterUnavailable, "EOFError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_error_is_translated(error: Exception, on_object: bool, expected: type[VCenterEventsError], text: str) -> None:
    with pytest.raises(expected, match=text) as raised, translate_errors("power vm-1 off", on_object=on_object):
        raise error

    assert str(raised.value).startswith("power vm-1 off: ")
    assert raised.value.__cause__ is error


def test_other_errors_and_our_own_pass_through() -> None:
    for error in (KeyError("key"), VCenterUnavailable("as it is")):
        with pytest.raises(type(error)) as raised, translate_errors("read"):
            raise error
        assert raised.value is error


@pytest.mark.parametrize(
    ("status", "expected"), [(403, VCenterRejected), (404, VCenterUnavailable), (503, VCenterUnavailable)]
)
def test_status_is_translated(status: int, expected: type[VCenterEventsError]) -> None:
    check_status("GET /tag", 200, "")
    with pytest.raises(expected, match="GET /tag: "):
        check_status("GET /tag", status, "body")
