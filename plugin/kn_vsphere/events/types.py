"""`kn vsphere events list` and `show`: the catalogue of event types."""

import difflib
import json
import textwrap
from collections.abc import Iterator

from kn_vsphere import table
from kn_vsphere.call import Call
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.events import values
from kn_vsphere.grammar import Invocation
from vsphere import catalog
from vsphere.catalog import Catalog, EventType

WIDTH = 100


def list_(call: Call) -> None:
    """Print the event types that the flags select."""
    flags = call.flags
    output = values.one_of(flags, "output")
    categories = _categories(flags)
    entries = [entry for entry in _catalog(call) if is_selected(entry, categories, flags.text("search"))]
    if output == "json":
        call.print(json.dumps([entry.document() for entry in entries], indent=4, ensure_ascii=False))
    elif output == "name":
        call.out.writelines(f"{entry.name}\n" for entry in entries)
    elif not entries:
        call.report("No event types found.")
    else:
        head = [] if flags.is_set("no-headers") else [("NAME", "CATEGORY", "TITLE")]
        for line in table.lines([*head, *((entry.name, entry.category, entry.title) for entry in entries)]):
            call.print(line)


def show(call: Call) -> None:
    """Explain the event type that the argument names."""
    if len(call.flags.arguments) != 1:
        raise CheckError("name one event type, for example VmPoweredOffEvent")
    output = values.one_of(call.flags, "output")
    entry = _entry(_catalog(call), call.flags.arguments[0])
    if output == "json":
        call.print(json.dumps(_document(entry, call.flags), indent=4, ensure_ascii=False))
        return
    for line in explanation(entry, call.flags.text("broker"), call.flags.text("sink")):
        call.print(line)


def event_types(_call: Call) -> list[tuple[str, str]]:
    """Return the candidates for an event type: name and title."""
    return [(entry.name, entry.title) for entry in catalog.built_in()]


def is_selected(entry: EventType, categories: set[str], search: str) -> bool:
    """Return whether *entry* has one of *categories*, if there are any, and all words of *search*."""
    text = f"{entry.name} {entry.title} {entry.description}".lower()
    return (not categories or entry.category in categories) and all(word in text for word in search.lower().split())


def explanation(entry: EventType, broker: str, sink: str) -> Iterator[str]:
    """Yield the lines that explain *entry*."""
    from kn_vsphere.events import example  # noqa: PLC0415 - pyVmomi's types take as long as the rest of the program

    yield f"{entry.title}  ({entry.category or 'no category'})"
    yield from textwrap.wrap(entry.description, WIDTH)
    yield ""
    yield f"Type:  {example.cloudevents_type(entry.name)}"
    for cause in entry.causes:
        yield ""
        yield from textwrap.wrap(f"Cause: {cause.description}", WIDTH, subsequent_indent="       ")
        for remedy in cause.remedies:
            yield from textwrap.wrap(f"  Do:  {remedy}", WIDTH, subsequent_indent="       ")
    event = example.cloudevent(entry)
    yield from ("", "Example:", "")
    yield from (f"    {name}: {value}" for name, value in event.attributes.items())
    yield ""
    yield from textwrap.indent(json.dumps(event.payload, indent=2, ensure_ascii=False), "    ").split("\n")
    yield from ("", "Trigger:", "")
    yield from textwrap.indent(example.trigger(entry.name, broker, sink), "    ").splitlines()
    yield from ("", "The same with kn:", "", f"    {example.command(entry.name, broker, sink)}")


def _document(entry: EventType, flags: Invocation) -> dict[str, object]:
    from kn_vsphere.events import example  # noqa: PLC0415 - as above

    event = example.cloudevent(entry)
    return {
        **entry.document(),
        "example": {**event.attributes, "data": event.payload},
        "trigger": example.trigger(entry.name, flags.text("broker"), flags.text("sink")),
        "command": example.command(entry.name, flags.text("broker"), flags.text("sink")),
    }


def _categories(flags: Invocation) -> set[str]:
    """Return the categories of `--category`. Raises `CheckError`."""
    categories = set(flags.text("category").replace(",", " ").lower().split())
    if unknown := categories.difference(catalog.CATEGORIES):
        raise CheckError(f"--category has {', '.join(sorted(unknown))}, not one of: {', '.join(catalog.CATEGORIES)}")
    return categories


def _catalog(call: Call) -> Catalog:
    """Return the vCenter's catalogue if one is named, with texts of the built-in one, which otherwise is returned."""
    if not (call.flags.text("vc-address") or call.environ.get("VC_URL")):
        return catalog.built_in()
    from kn_vsphere.events import login  # noqa: PLC0415 - pyVmomi, for a vCenter only
    from vsphere import vcenter_catalog  # noqa: PLC0415 - as above

    with login.session(call) as session:
        return vcenter_catalog.fetch(session).over(catalog.built_in())


def _entry(known: Catalog, name: str) -> EventType:
    """Return the entry called *name*, in any case. Raises `CommandError` with names that look alike."""
    entry = known.find(name)
    if entry is not None:
        return entry
    names = {other.name.lower(): other.name for other in known}
    typed = catalog.type_name(name).lower()
    for candidate in (typed, f"{typed}event"):
        entry = known.find(names.get(candidate, ""))
        if entry is not None:
            return entry
    near = [names[match] for match in difflib.get_close_matches(typed, names, 3)]
    hint = f". Did you mean {' or '.join(near)}?" if near else ". `kn vsphere events list` has all"
    raise CommandError(f"the catalogue has no event type {name!r}{hint}")
