"""The number of values in a JSON document."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import bounds
from pipeline.cloudevents import LENIENT, STRICT, NotACloudEvent, Rules, from_json
from pipeline.cloudevents.json_text import check_values, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(',[]{}":\\é'),
    lambda children: st.lists(children) | st.dictionaries(st.text(',[{"\\'), children),
)


@given(VALUES)
def test_document_within_the_bound_is_read_as_usual(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert loads(text) == loads(text.encode()) == value


@pytest.mark.parametrize("item", ["1", "[]", "{}", '""', '{"a":1}'])
def test_too_many_values_are_rejected(item: str) -> None:
    document = f"[{','.join([item] * (bounds.JSON_VALUES + 1))}]"
    for form in (document, document.encode()):
        with pytest.raises(ValueError, match="more than 50,000 values"):
            check_values(form)


COUNTS = {"[1,2,3]": 3, '{"a":1,"b":[]}': 3, "[[],{}": 4, "[[[": 3, '[",[{","\\\\"]': 2, '[",\n[",2]': 2}


@pytest.mark.parametrize(("document", "count"), COUNTS.items(), ids=repr)
def test_values_are_counted_by_what_begins_or_separates_them(document: str, count: int) -> None:
    for form in (document, document.encode()):
        check_values(form, count)
        with pytest.raises(ValueError, match=rf"^it has more than {count - 1} values$"):
            check_values(form, count - 1)


def test_string_may_have_an_escaped_line_break() -> None:
    for form in ('["\\\n,,,"]', b'["\\\n,,,"]'):
        check_values(form, 1)


def test_caller_may_choose_what_constants_are() -> None:
    assert loads("[NaN, 1]", parse_constant=str) == ["NaN", 1]


def test_caller_may_set_the_bound() -> None:
    assert loads("[1,2]", max_values=2) == [1, 2]
    with pytest.raises(ValueError, match="more than 1 values"):
        loads("[1,2]", max_values=1)


@pytest.mark.parametrize("text", [",[{" * bounds.JSON_VALUES, '\\",' * bounds.JSON_VALUES])
def test_separators_in_a_string_are_not_values(text: str) -> None:
    document = json.dumps([text])
    assert loads(document) == loads(document.encode()) == [text]


@pytest.mark.parametrize("document", ['"' + '\\"' * 1_000_000, '","' * 500_000, '"' * 1_000_001])
def test_unfinished_strings_are_read_in_linear_time(document: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        loads(document)


@pytest.mark.parametrize("rules", [STRICT, LENIENT], ids=["strict", "lenient"])
@pytest.mark.parametrize(
    ("extensions", "problem"),
    [
        ({"long": "x" * bounds.ATTRIBUTE_BYTES}, "attributes longer than 65536 bytes: long"),
        ({f"x{number}": "" for number in range(bounds.ATTRIBUTES)}, "more than 256 attributes"),
        ({"data": [1] * (bounds.JSON_VALUES + 1)}, "more than 50,000 values"),
    ],
    ids=["long", "many", "values"],
)
def test_structured_event_beyond_a_bound_is_rejected(rules: Rules, extensions: dict[str, object], problem: str) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/test", "type": "a.b", **extensions}
    with pytest.raises(NotACloudEvent, match=problem):
        from_json(json.dumps(event), rules)
