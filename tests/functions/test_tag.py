"""tag, against a simulated vCenter: which tags it holds before and after."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from demo.vcsim import VCSim
from functions import tag
from pipeline.cloudevents import CloudEvent
from pipeline.errors import PermanentError, SettingsError
from pipeline.payload import Reference
from pipeline.reaction import ReactionFunction
from pipeline.settings import read
from tests.support.administrator import Administrator
from tests.support.events import about, event_of, vcenter_event
from vsphere.settings import VCenterSettings
from vsphere.tagging import NoSuchTag, Tagging

Make = Callable[..., ReactionFunction]

VM = {"Name": "web-01", "Vm": {"Type": "VirtualMachine", "Value": "vm-1"}}
SETTINGS = {"TAG_CATEGORY": "lifecycle", "TAG_NAME": "created", "TAG_CREATE": "true"}


def environ(vcsim: VCSim, **more: str) -> dict[str, str]:
    return {**vcsim.environ, **SETTINGS, **more}


@pytest.fixture
def reaction(vcsim: VCSim) -> Iterator[Make]:
    """Creates reactions for *vcsim* with the settings of a test, and closes them."""
    with contextlib.ExitStack() as stack:
        yield lambda **more: stack.enter_context(contextlib.closing(tag.create(environ(vcsim, **more))))


def tagged(vcsim: VCSim, name: str = "created") -> set[tuple[str, str]]:
    """Return the objects with the tag, read in a separate session."""
    tagging = Tagging(read(VCenterSettings, environ(vcsim)))
    try:
        return tagging.objects_with("lifecycle", name)
    except NoSuchTag:
        return set()
    finally:
        tagging.close()


def created(vcsim: VCSim, vm: Any) -> CloudEvent:
    return event_of(vcsim, "VmCreatedEvent", Vm=about(vm, "Vm"))


def test_tag_and_category_are_created_and_attached(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        first, second, *_ = administrator.vms
        function = reaction()
        assert tagged(vcsim) == set()

        function.handle(created(vcsim, first))
        assert tagged(vcsim) == {("VirtualMachine", first._moId)}

        reply = function.handle(created(vcsim, second))
        assert reply is not None
        assert reply["type"] == "dev.vcenter-events.tag.attached.v0"
        assert dict(reply.payload or {})["message"] == f"Tag lifecycle/created attached to {second.name}"
        assert tagged(vcsim) == {("VirtualMachine", first._moId), ("VirtualMachine", second._moId)}


def test_tag_is_removed_only_from_the_object_of_the_event(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        first, second, *_ = administrator.vms
        attaching, removing = reaction(), reaction(TAG_ACTION="remove")
        for vm in (first, second):
            attaching.handle(created(vcsim, vm))

        removing.handle(event_of(vcsim, "VmPoweredOffEvent", Vm=about(first, "Vm")))

        assert tagged(vcsim) == {("VirtualMachine", second._moId)}


def test_duplicates_do_not_attach_a_tag_removed_by_hand(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        vm = administrator.vms[0]
        function = reaction()
        event = created(vcsim, vm)
        function.handle(event)
        with contextlib.closing(Tagging(read(VCenterSettings, environ(vcsim)))) as by_hand:
            by_hand.remove("lifecycle", "created", Reference("VirtualMachine", vm._moId, ""))

        function.handle(event)
        function.handle(event)

        assert tagged(vcsim) == set()


@pytest.mark.parametrize(
    ("name", "argument", "property_", "reference"),
    [
        ("host", "Host", "Host", ("HostSystem", "host-1")),
        ("datastore", "Ds", "Datastore", ("Datastore", "datastore-1")),
        ("entity", "Entity", "Entity", ("ClusterComputeResource", "domain-c1")),
    ],
)
def test_setting_selects_the_object_that_is_tagged(
    vcsim: VCSim, reaction: Make, name: str, argument: str, property_: str, reference: tuple[str, str]
) -> None:
    named = {"Name": "it", property_: {"Type": reference[0], "Value": reference[1]}}

    reaction(TAG_OBJECT=name).handle(event_of(vcsim, "AlarmStatusChangedEvent", **{argument: named}))

    assert tagged(vcsim) == {reference}


def test_event_in_xml_is_handled_like_one_in_json(vcsim: VCSim, reaction: Make) -> None:
    xml = '<VmCreatedEvent><key>1</key><vm><name>web-01</name><vm type="VirtualMachine">vm-1</vm></vm></VmCreatedEvent>'
    attributes = vcenter_event(vcsim.url, "VmCreatedEvent").attributes
    event = CloudEvent({**attributes, "datacontenttype": "application/xml"}, xml.encode())

    reaction().handle(event)

    assert tagged(vcsim) == {("VirtualMachine", "vm-1")}


def test_missing_tag_is_named_with_the_setting_that_creates_it(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        function = reaction(TAG_CREATE="false")

        with pytest.raises(PermanentError, match=r"no tag category 'lifecycle'.*TAG_CREATE=true"):
            function.handle(created(vcsim, administrator.vms[0]))


def test_tag_that_was_deleted_and_recreated_is_found_again(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        first, second, *_ = administrator.vms
        function = reaction()
        function.handle(created(vcsim, first))
        delete_tag(vcsim)
        assert tagged(vcsim) == set()

        function.handle(created(vcsim, second))

        assert tagged(vcsim) == {("VirtualMachine", second._moId)}


def delete_tag(vcsim: VCSim) -> None:
    """As somebody does it in the vSphere Client."""
    tagging = Tagging(read(VCenterSettings, environ(vcsim)))
    try:
        tagging._request("DELETE", f"/tag/id:{tagging._id('lifecycle', 'created', create=False)}")
    finally:
        tagging.close()


def test_session_that_a_restart_ended_is_renewed(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        first, second = (created(vcsim, vm) for vm in administrator.vms[:2])
        carrying = ("VirtualMachine", administrator.vms[1]._moId)
    function = reaction()
    function.handle(first)
    vcsim.restart()

    function.handle(second)

    assert tagged(vcsim) == {carrying}


def test_rejected_login_is_permanent_and_names_the_user(vcsim: VCSim, reaction: Make) -> None:
    function = reaction(VC_PASSWORD="wrong")

    with pytest.raises(PermanentError, match="as user: vCenter rejects"):
        function.handle(vcenter_event(vcsim.url, "VmCreatedEvent", Vm=VM))


def test_missing_and_invalid_settings_are_named() -> None:
    with pytest.raises(SettingsError) as rejected:
        tag.create({"VC_URL": "https://vcenter.example", "TAG_OBJECT": "planet"})

    named = [error.split()[0] for error in rejected.value.errors]
    assert named == ["VC_USERNAME", "TAG_CATEGORY", "TAG_NAME", "TAG_OBJECT"]
