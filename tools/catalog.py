"""`python -m tools.catalog` writes vsphere/catalog.json, the built-in copy of the event catalogue.

The event classes are those that pyVmomi knows. Their texts come from, in this order:

1. a running vcsim, which serves a part of a real vCenter's catalogue,
2. `tools/catalog.toml`, with facts about categories, and texts of our own,
3. the comments of the API in govmomi's sources, which the build of vcsim leaves in Go's module cache.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyVmomi import VmomiSupport

from demo import golang
from demo.vcsim import GO_MINIMUM, VERSION, VCSim
from pipeline import payload
from pipeline.cloudevents import CloudEvent
from pipeline.settings import read
from vsphere import vcenter_catalog
from vsphere.catalog import FILE, Catalog
from vsphere.element import NAMESPACE
from vsphere.session import Session
from vsphere.settings import VCenterSettings

FACTS = Path(__file__).with_suffix(".toml")
ATTRIBUTION = (
    "Written by `python -m tools.catalog`. Titles of 47 types, and descriptions, are from govmomi "
    f"{VERSION} (vim25/types, simulator/esx), Copyright (c) VMware, Inc., Apache License 2.0, "
    "http://www.apache.org/licenses/LICENSE-2.0. Descriptions were shortened and corrected."
)

_COMMENT = re.compile(r"^((?://.*\n)+)type (\w+) struct", re.MULTILINE)
_OPENING = re.compile(
    r"^(?:This|The|These) (?:events?|class) "
    r"(?:(?:records?|indicates?|suggests?|notifies)(?: that| when| if)?|is (?:generated|fired) when|is) "
)
_CONTINUOUS = re.compile(r"^(a virtual machine)(?= \w+ing\b)", re.IGNORECASE)
_MODERN = {
    "Virtual Center Server": "vCenter", "Virtual Center server": "vCenter", "VirtualCenter server": "vCenter",
    "VirtualCenter": "vCenter", "Virtual Center": "vCenter", "vNetwork Distributed Switch": "distributed switch",
    "Vmotion": "vMotion", "VMotion": "vMotion", "vmotion": "vMotion", "a HA ": "an HA ", "Mtu": "MTU", "mtu": "MTU",
    "Vlans": "VLAN", "vlan": "VLAN", "a.k.a": "that is,", "could be : ": "may be ", " api": " API", "iScsi": "iSCSI",
}  # fmt: skip
"""Names in the API's comments → the present ones."""
_WORDS = {
    "mac": "MAC", "wwn": "WWN", "Mtu": "MTU", "mks": "MKS", "def": "definition", "passthru": "passthrough",
    "Vc": "vCenter", "portgroup": "port group", "Dvpg": "Distributed port group", "DV": "Distributed",
    "linux": "Linux", "sysprep": "Sysprep", "vnic": "vNIC",
    "info": "information", "ok": "is right", "auto": "automatic", "config": "configuration",
}  # fmt: skip
"""Words of class names → words of titles."""
_LINK = re.compile(r"\(?@link [\w.]+\.(\w+) \w+\)|`([\w.]+)`")


def event_classes() -> list[str]:
    """Return the names of all event classes that pyVmomi knows."""
    event = VmomiSupport.GetWsdlType(NAMESPACE, "Event")
    types = (VmomiSupport.GetVmodlType(name) for name in VmomiSupport._dataDefMap if name.startswith("vim.event."))
    return sorted(event_type._wsdlName for event_type in types if issubclass(event_type, event))


def comments() -> dict[str, str]:
    """Return the API's comment on each type, from govmomi's sources."""
    cache = golang.run([golang.go(GO_MINIMUM), "env", "GOMODCACHE"], "find Go's module cache").strip()
    source = Path(cache) / "github.com/vmware" / f"govmomi@{VERSION}" / "vim25" / "types" / "types.go"
    return {
        match[2]: "\n".join(line[2:].strip() for line in match[1].splitlines())
        for match in _COMMENT.finditer(source.read_text(encoding="utf-8"))
    }


def served_by_vcsim() -> Catalog:
    """Return vcsim's own catalogue."""
    with VCSim() as vcsim:
        session = Session(read(VCenterSettings, vcsim.environ))
        session.connect()
        try:
            return vcenter_catalog.fetch(session)
        finally:
            session.close()


def shortened(comment: str) -> str:
    """Return the first two sentences of an API comment, about the event instead of the type."""
    text = re.sub(r"^(Deprecated[^\n]*(?:\n[^\n]+)*)\n\n", "", comment).partition("\n- ")[0]
    text = _LINK.sub(lambda link: link[1] or link[2], " ".join(text.split()))
    sentences = re.split(r"(?<=[.]) (?=[A-Z])", text)[:2]
    text = " ".join(sentence for sentence in sentences if not re.search("alarm will be|configIssue", sentence))
    text = _CONTINUOUS.sub(r"\1 is", _OPENING.sub("", text))
    for old, new in _MODERN.items():
        text = text.replace(old, new)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def title(name: str) -> str:
    """Return an event class in words."""
    words = payload.type_in_words(CloudEvent({"type": name}, b"")).split()
    return " ".join(_WORDS.get(word, word) for word in words)


def rows(facts: Mapping[str, Any], served: Catalog, documented: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the rows of the catalogue by name. Raises KeyError if *facts* name an unknown class."""
    categories = {name: category for category, names in facts["category"].items() for name in names.split()}
    causes = facts["cause"]
    result: dict[str, list[Any]] = {}
    for name in event_classes():
        entry = served.find(name)
        description = facts["description"].get(name) or shortened(documented.get(name, ""))
        result[name] = [
            (entry.category if entry else "") or categories.get(name, "info"),
            (entry.title if entry else "") or facts["title"].get(name) or _of_base(title(name), description),
            description,
            causes.get(name, []),
        ]
    unknown = sorted({*categories, *causes, *facts["description"], *facts["title"]} - result.keys())
    if unknown:
        raise KeyError(f"tools/catalog.toml names {', '.join(unknown)}")
    types = {name: [*row, causes.get(name, [])] for name, row in facts["type"].items()}
    return {**result, **types}


def _of_base(title: str, description: str) -> str:
    """Return the title of a base class, which names no event of its own, with the word event."""
    return f"{title} event" if description.endswith("The base of more specific ones.") else title


def document(entries: Mapping[str, list[Any]]) -> str:
    """Return the file: JSON with a line for each type."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(entries[name], ensure_ascii=False, separators=(',', ':'))}"
        for name in sorted(entries, key=str.lower)
    ]
    joined = ",\n".join(lines)
    return f'{{"attribution": {json.dumps(ATTRIBUTION)},\n"types": {{\n{joined}\n}}}}\n'


def main() -> None:
    """Write the file."""
    facts = tomllib.loads(FACTS.read_text(encoding="utf-8"))
    FILE.write_text(document(rows(facts, served_by_vcsim(), comments())), encoding="utf-8")


if __name__ == "__main__":
    main()
