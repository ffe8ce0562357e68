"""XML that anybody may have sent: read as ElementTree reads it, or rejected in little time."""

import time
from xml.etree import ElementTree

import pytest

from pipeline import bounds, xml
from tests.golden import Record, records

BOMB = (
    '<?xml version="1.0" encoding="{}"?><!DOCTYPE E [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><E><x>&b;</x></E>'
)


@pytest.mark.parametrize("recorded", records("xml"), ids=str)
def test_recorded_event_is_read_as_by_elementtree(recorded: Record) -> None:
    element = xml.parse(recorded.body)
    assert element is not None
    assert ElementTree.tostring(element) == ElementTree.tostring(ElementTree.fromstring(recorded.body))


def test_namespaces_and_attributes_are_read_as_by_elementtree() -> None:
    text = '<a xmlns="urn:vim25" xmlns:x="urn:x" x:type="y" plain="z">é<x:b/></a>'
    for data in (text, text.encode(), text.encode("utf-16")):
        element = xml.parse(data)
        assert element is not None
        assert ElementTree.tostring(element) == ElementTree.tostring(ElementTree.fromstring(data))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"])
def test_document_type_is_rejected_in_any_encoding(encoding: str) -> None:
    assert xml.parse(BOMB.format(encoding).encode(encoding)) is None


@pytest.mark.parametrize("levels", [bounds.XML_LEVELS + 1, 1_000, 40_000, 300_000])
def test_deep_document_is_rejected_quickly(levels: int) -> None:
    started = time.process_time()
    assert xml.parse("<a>" * levels + "</a>" * levels) is None
    assert time.process_time() - started < 1


@pytest.mark.parametrize("data", ["", "text", "<a>", "<a></b>", b"\xff\xfe", "<a/><b/>", "\0", b"<a>\xff</a>"])
def test_anything_else_is_none(data: str | bytes) -> None:
    assert xml.parse(data) is None


@pytest.mark.parametrize("data", [b"<a>" + b"<b/>" * 100_001 + b"</a>", "<a>" + '<b c=""/>' * 50_001 + "</a>"])
def test_document_of_too_many_elements_is_rejected(data: bytes | str) -> None:
    assert xml.parse(data) is None


def test_document_of_many_elements_is_read() -> None:
    element = xml.parse("<a>" + "<b>1</b>" * 40_000 + "</a>")
    assert element is not None
    assert len(element) == 40_000
