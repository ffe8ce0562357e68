"""The table of filters and the events that they select. The same table holds on Knative."""

from typing import Any

import pytest

from pipeline.filter import FilterError, compile_filter, explain

EVENT = {
    "specversion": "1.0",
    "id": "4711",
    "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
    "source": "https://vcenter.example/sdk",
    "subject": "VirtualMachine/vm-12",
    "datacontenttype": "application/json; charset=utf-8",
    "eventclass": "event",
    "empty": "",
}
TYPE = EVENT["type"]


def attributes(**expected: str) -> dict[str, Any]:
    return {"filter": {"attributes": expected}}


def filters(*expressions: object) -> dict[str, Any]:
    return {"filters": list(expressions)}


SELECTED: list[tuple[str, dict[str, Any], bool]] = [
    ("no filter at all", {}, True),
    ("an empty filter", {"filter": {}}, True),
    ("a filter of no attributes", {"filter": {"attributes": None}}, True),
    ("equal", attributes(type=TYPE), True),
    ("equal but for case", attributes(type=TYPE.lower()), False),
    ("a part", attributes(type="com.vmware"), False),
    ("both equal", attributes(type=TYPE, eventclass="event"), True),
    ("one of two equal", attributes(type=TYPE, eventclass="eventex"), False),
    ("any value of a present attribute", attributes(subject=""), True),
    ("any value of an absent attribute", attributes(dataschema=""), False),
    ("any value of an empty attribute", attributes(empty=""), False),
    ("any value of an absent time, which Go has as zero", attributes(time=""), True),
    ("an absent attribute", attributes(cluster="a"), False),
    ("the data's media type", attributes(datamediatype="application/json"), True),
    ("data itself is not an attribute", attributes(data="x"), False),
    ("no filters: filter counts", {"filters": [], **attributes(eventclass="eventex")}, False),
    ("filters replace filter", {**filters({"exact": {"id": "4711"}}), **attributes(type="other")}, True),
    ("exact", filters({"exact": {"type": TYPE}}), True),
    ("exact of two", filters({"exact": {"type": TYPE, "id": "1"}}), False),
    ("prefix", filters({"prefix": {"type": "com.vmware.vsphere.Vm"}}), True),
    ("prefix of an absent attribute", filters({"prefix": {"cluster": "a"}}), False),
    ("suffix", filters({"suffix": {"type": ".v0"}}), True),
    ("suffix that is elsewhere", filters({"suffix": {"type": "vmware"}}), False),
    ("all", filters({"all": [{"prefix": {"subject": "VirtualMachine/"}}, {"suffix": {"type": ".v0"}}]}), True),
    ("all but one", filters({"all": [{"prefix": {"subject": "HostSystem/"}}, {"suffix": {"type": ".v0"}}]}), False),
    ("any", filters({"any": [{"exact": {"id": "1"}}, {"exact": {"id": "4711"}}]}), True),
    ("any of none", filters({"any": [{"exact": {"id": "1"}}, {"exact": {"id": "2"}}]}), False),
    ("not", filters({"not": {"exact": {"id": "1"}}}), True),
    ("not what it is", filters({"not": {"prefix": {"type": "com."}}}), False),
    ("not of an absent attribute", filters({"not": {"exact": {"cluster": "a"}}}), True),
    ("several expressions, all needed", filters({"exact": {"id": "4711"}}, {"exact": {"id": "1"}}), False),
    ("nested", filters({"any": [{"not": {"all": [{"exact": {"id": "4711"}}]}}, {"suffix": {"id": "11"}}]}), True),
]


@pytest.mark.parametrize(("spec", "selected"), [case[1:] for case in SELECTED], ids=[case[0] for case in SELECTED])
def test_filter_selects_as_knative_does(spec: dict[str, Any], selected: bool) -> None:
    assert compile_filter(spec)(EVENT) is selected


REJECTED: list[tuple[str, dict[str, Any], str]] = [
    ("cesql", filters({"cesql": "type = 'a'"}), "filters[0].cesql"),
    ("an unknown dialect", filters({"regex": {"type": "a"}}), "filters[0].regex"),
    ("two dialects in one", filters({"exact": {"id": "1"}, "prefix": {"id": "1"}}), "filters[0]"),
    ("no dialect", filters({}), "filters[0]"),
    ("an empty not", filters({"not": {}}), "filters[0].not"),
    ("an empty all", filters({"all": []}), "filters[0].all"),
    ("all of an object", filters({"all": {"exact": {"id": "1"}}}), "filters[0].all"),
    ("an empty exact", filters({"exact": {}}), "filters[0].exact"),
    ("an empty value", filters({"prefix": {"type": ""}}), "filters[0].prefix.type"),
    ("an upper-case name", filters({"exact": {"eventClass": "a"}}), "filters[0].exact.eventClass"),
    ("a number", filters({"exact": {"id": 4711}}), "filters[0].exact.id"),
    ("an error far within", filters({"any": [{"not": {"suffix": {"id": True}}}]}), "filters[0].any[0].not.suffix.id"),
    ("filters that are not a list", {"filters": {"exact": {"id": "1"}}}, "filters"),
    ("something beside attributes", {"filter": {"exact": {"id": "1"}}}, "filter"),
    ("attributes in a list", {"filter": {"attributes": ["type"]}}, "filter.attributes"),
    ("an error in the filter that filters replace", {"filter": 1, **filters({"exact": {"id": "1"}})}, "filter"),
]


@pytest.mark.parametrize(("spec", "path"), [case[1:] for case in REJECTED], ids=[case[0] for case in REJECTED])
def test_filter_that_cannot_be_read_is_rejected_with_its_path(spec: dict[str, Any], path: str) -> None:
    with pytest.raises(FilterError) as raised:
        compile_filter(spec)

    assert [path for path, _ in raised.value.errors] == [path]


Selection = tuple[dict[str, str], dict[str, Any], bool]

NAMES: dict[str, Selection] = {
    "time": ({"time": "2026-01-02T03:04:05Z"}, filters({"prefix": {"time": "2026-01-"}}), True),
    "absent time": ({}, filters({"exact": {"time": "0001-01-01T00:00:00Z"}}), True),
    "schemaurl": ({"dataschema": "https://s"}, filters({"exact": {"schemaurl": "https://s"}}), True),
    "absent schemaurl": ({}, filters({"prefix": {"schemaurl": "https"}}), False),
    "any schemaurl of none": ({}, attributes(schemaurl=""), False),
    "parameters": ({"datacontenttype": "a/b; c=d; e=f"}, filters({"exact": {"datamediatype": "a/b"}}), True),
    "absent media type": ({}, filters({"prefix": {"datamediatype": "a"}}), False),
    "any media type of none": ({}, attributes(datamediatype=""), False),
    "content encoding": ({"datacontentencoding": "base64"}, attributes(datacontentencoding=""), False),
}
"""Attributes that have another name in Knative, or a value although the event lacks them."""


@pytest.mark.parametrize(("event", "spec", "selected"), NAMES.values(), ids=NAMES)
def test_names_that_knative_treats_specially(event: dict[str, str], spec: dict[str, Any], selected: bool) -> None:
    assert compile_filter(spec)(event) is selected


MESSAGES: dict[str, tuple[object, str]] = {
    "filters": ({}, "is not a list"),
    "filter": ({"x": 1}, "has something other than attributes"),
    "filter.attributes": ({"attributes": ["type"]}, "is not a set of attribute names and values"),
    "filters[0]": ([{}], "is not exactly one of exact, prefix, suffix, all, any, not"),
    "filters[0].cesql": ([{"cesql": "TRUE"}], "the dialect cesql is not supported"),
    "filters[0].exactly": ([{"exactly": {"id": "1"}}], "is not a dialect that Knative knows"),
    "filters[0].exact": ([{"exact": {}}], "names no attribute"),
    "filters[0].all": ([{"all": []}], "is not a list with at least one expression"),
    "filters[0].exact.A": ([{"exact": {"A": "1"}}], "is not an attribute name: a-z, then a-z and 0-9"),
    "filters[0].exact.id": ([{"exact": {"id": 4711}}], "is 4711, not a text. Quote it"),
    "filters[0].exact.b": ([{"exact": {"b": ""}}], "is empty"),
}


@pytest.mark.parametrize(("path", "case"), MESSAGES.items(), ids=MESSAGES)
def test_error_says_what_is_wrong(path: str, case: tuple[object, str]) -> None:
    value, message = case
    with pytest.raises(FilterError) as raised:
        compile_filter({"filters" if path.startswith("filters") else "filter": value})

    assert raised.value.errors == ((path, message),)


def test_all_errors_are_one_message() -> None:
    error = FilterError([("filter", "is bad"), ("filters", "is worse")])

    assert str(error) == "the filter is not usable: filter: is bad; filters: is worse"


def test_every_error_is_reported() -> None:
    with pytest.raises(FilterError) as raised:
        compile_filter(filters({"exact": {"A": "1", "b": ""}}, {"cesql": "TRUE"}))

    assert [path for path, _ in raised.value.errors] == [
        "filters[0].exact.A",
        "filters[0].exact.b",
        "filters[1].cesql",
    ]


def test_explanation_names_each_part_and_its_verdict() -> None:
    event = {"type": "VmPoweredOff", "source": "/a"}
    spec = {
        "filters": [
            {"any": [{"exact": {"type": "VmPoweredOn"}}, {"prefix": {"type": "VmPowered", "subject": "Vm/"}}]},
            {"not": {"suffix": {"source": "b"}}},
        ]
    }

    either, excluded = explain(spec, event)

    assert (either["dialect"], either["matches"], excluded["matches"]) == ("any", False, True)
    exact, both = either["parts"]
    assert exact == {
        "dialect": "exact", "attribute": "type", "expected": "VmPoweredOn", "actual": "VmPoweredOff", "matches": False,
    }  # fmt: skip
    assert [(part["attribute"], part["actual"], part["matches"]) for part in both["parts"]] == [
        ("type", "VmPoweredOff", True),
        ("subject", None, False),
    ]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"filter": {"attributes": {"type": "a", "source": ""}}},
        {"filter": {"attributes": {"type": "b"}}},
        {"filters": [{"not": {"exact": {"type": "a"}}}]},
        {
            "filters": [
                {"any": [{"exact": {"type": "x"}}, {"all": [{"prefix": {"type": "a"}}, {"suffix": {"id": "1"}}]}]}
            ]
        },
        {"filters": [{"exact": {"type": "a", "id": "2"}}]},
    ],
)
@pytest.mark.parametrize("event", [{"type": "a", "id": "1", "source": "s"}, {"type": "a", "id": "2"}, {"type": "b"}])
def test_explanation_agrees_with_the_filter(spec: dict[str, object], event: dict[str, str]) -> None:
    assert all(part["matches"] for part in explain(spec, event)) == compile_filter(spec)(event)
