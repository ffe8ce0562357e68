"""Events that the predecessor, the Go VSphereSource, sent: 52 event classes, each with all fields and once sparse."""

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

_FOLDER = Path(__file__).parent
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}type"


@dataclasses.dataclass(frozen=True)
class Record:
    """One recorded request to the sink."""

    number: int
    class_name: str
    headers: dict[str, str]
    body: str

    def __str__(self) -> str:
        return f"{self.number}-{self.class_name}"


def records(encoding: str) -> list[Record]:
    """The recorded requests of *encoding*, "json" or "xml", in the order in which they were sent."""
    lines = (_FOLDER / f"vspheresource-{encoding}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [Record(number, row["class"], row["headers"], row["body"]) for number, row in enumerate(rows)]


def wire_element(record: Record) -> ElementTree.Element:
    """A recorded XML body as vCenter sends the event: in vSphere's namespace, with the class in `xsi:type`."""
    element = ElementTree.fromstring(record.body)
    for node in element.iter():
        node.tag = "{urn:vim25}" + node.tag
    element.set(_XSI, record.class_name)
    element.tag = "{urn:vim25}returnval"
    return element
