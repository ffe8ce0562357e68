"""The event catalogue: the built-in copy, and that of a vCenter."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

from tools.catalog import event_classes, shortened
from vsphere import catalog, vcenter_catalog
from vsphere.catalog import Catalog, Cause
from vsphere.session import Session
from vsphere.vcenter_catalog import EventTypes

ROOT = Path(__file__).parents[2]


def entries(*details: str) -> list[ElementTree.Element]:
    """Return vCenter's elements with these children."""
    return [ElementTree.fromstring(f'<e xmlns="urn:vim25">{detail}</e>') for detail in details]


def detail(key: str, full_format: str = "", long: str = "", category: str = "error", title: str = "A title") -> str:
    """Return the children of an `EventDescriptionEventDetail`."""
    return (
        f"<key>{key}</key><description>{title}</description><category>{category}</category>"
        f"<fullFormat>{full_format}</fullFormat><longDescription>{escape(long)}</longDescription>"
    )


# ── built in ──


def test_built_in_copy_has_every_event_class() -> None:
    classes = event_classes()
    built_in = [entry for name in classes if (entry := catalog.built_in().find(name))]

    assert (len(classes), len(built_in)) == (443, 443)
    assert [entry.name for entry in built_in if not (entry.description and entry.title)] == []
    assert {entry.category for entry in catalog.built_in()} == set(catalog.CATEGORIES)


def test_built_in_copy_has_causes_with_remedies() -> None:
    explained = [entry for entry in catalog.built_in() if entry.causes]

    assert len(explained) > 90
    assert [e.name for e in explained for cause in e.causes if not cause.description or not cause.remedies] == []


@pytest.mark.parametrize("name", ["VmPoweredOffEvent", "com.vmware.vsphere.VmPoweredOffEvent.v0"])
def test_entry_is_found_by_class_and_by_type(name: str) -> None:
    entry = catalog.built_in().find(name)

    assert entry is not None
    assert (entry.name, entry.category, entry.title) == ("VmPoweredOffEvent", "info", "VM powered off")


def test_importing_severity_reads_neither_the_file_nor_pyvmomi() -> None:
    script = (
        "import sys; from vsphere import catalog, severity; "
        "print('pyVmomi' in sys.modules, catalog.built_in.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "0"]


def test_file_names_its_sources_and_licence() -> None:
    assert "Apache License 2.0" in json.loads(catalog.FILE.read_bytes())["attribution"]


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("This event records when a\nhost fails", "A host fails."),
        ("Deprecated as of API 5.0, it is\nold.\n\nThis event records the loss.", "The loss."),
        ("Something happens.\n- one\n- two", "Something happens."),
        ("This event records a virtual machine resuming.", "A virtual machine is resuming."),
        ("A first one. A second one. A third one.", "A first one. A second one."),
        ("The VirtualCenter agent stopped. A default alarm will be triggered.", "The vCenter agent stopped."),
        ("", ""),
    ],
)
def test_comment_becomes_a_sentence(comment: str, expected: str) -> None:
    assert shortened(comment) == expected


# ── a vCenter's own ──


def test_type_ids_are_read_from_the_format() -> None:
    own = catalog.from_elements(
        entries(
            detail("EventEx", "esx.problem.x|A {thing} broke"),
            detail("ExtendedEvent", "com.example.y|Y", category="Warning"),
            detail("VmEvent", "A {vm}", category="info"),
        )
    )

    assert {entry.name: entry.category for entry in own} == {
        "com.example.y": "warning",
        "esx.problem.x": "error",
        "VmEvent": "info",
    }


def test_causes_and_remedies_are_read_from_the_long_description() -> None:
    long = (
        '<EventLongDescription id="x">\n  <description>It\n  broke.</description>\n'
        "<cause><description>Rust</description><action>Paint it</action><action>Replace it</action></cause>"
        "<cause><description>Frost</description></cause></EventLongDescription>"
    )
    entry = catalog.from_elements(entries(detail("X", long=long))).find("X")

    assert entry is not None
    assert entry.description == "It broke."
    assert entry.causes == (Cause("Rust", ("Paint it", "Replace it")), Cause("Frost", ()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("It broke.", "It broke."), ("It <b>broke", "It broke"), ("<a>1 < 2", "1 < 2")],
)
def test_odd_long_description_is_text(text: str, expected: str) -> None:
    assert catalog.parse_long_description(text) == (expected, [])


def test_own_entry_keeps_texts_that_it_lacks() -> None:
    own = catalog.from_elements(entries(detail("VmPoweredOffEvent", category="warning", title="Off")))
    entry = own.over(catalog.built_in()).find("VmPoweredOffEvent")

    assert entry is not None
    assert (entry.category, entry.title) == ("warning", "Off")
    assert entry.description
    assert entry.causes


def test_catalogue_of_vcsim_is_read(session: Session) -> None:
    own = vcenter_catalog.fetch(session)

    assert len(own) == 47
    assert own.category("VmSuspendedEvent") == "info"
    assert len(own.over(catalog.built_in())) == len(catalog.built_in())


def test_types_are_read_once_for_each_login(session: Session) -> None:
    types = EventTypes()
    assert types.catalog is catalog.built_in()
    types.refresh(session)
    first = types.catalog
    types.refresh(session)

    assert types.catalog is first is not catalog.built_in()
    assert len(first) == len(catalog.built_in())


def test_types_outlive_a_catalogue_that_cannot_be_read(session: Session) -> None:
    types = EventTypes()
    session.close()
    types.refresh(session)

    assert types.catalog is catalog.built_in()


def test_empty_catalogue_has_nothing() -> None:
    assert (Catalog({}).find("X"), Catalog({}).category("X"), len(Catalog({}))) == (None, "", 0)
