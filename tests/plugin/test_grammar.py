"""Tests of the grammar: flags anywhere, pflag's forms of values, pflag's words for faults."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kn_vsphere.grammar import Command, Flag, Invocation, Kind, UsageError, parse, parse_duration

NAMESPACE = Flag("namespace", "", short="n")
LIST = Command(
    "list",
    "",
    run="x:list",
    aliases=("ls",),
    flags=(
        Flag("all", "", Kind.BOOL, short="A"),
        Flag("skip", "", Kind.BOOL, short="k"),
        Flag("output", "", short="o"),
        Flag("age", "", Kind.DURATION, default="5m0s"),
    ),
)
ROOT = Command(
    "kn-vsphere",
    "",
    persistent=(Flag("context", ""),),
    commands=(
        Command("source", "", persistent=(NAMESPACE,), commands=(LIST,)),
        Command("version", "", run="x:version"),
    ),
)


def parsed(line: str) -> Invocation:
    """Return what a command line means, whose words are separated by blanks."""
    return parse(ROOT, line.split())


@pytest.mark.parametrize(
    "line",
    [
        "source list -n ns -A -o json",
        "source list --namespace ns --all --output json",
        "source list --namespace=ns --all=true --output=json",
        "source list -n=ns -A=1 -o=json",
        "source list -nns -Aojson",
        "source ls -A true -n ns -o json",
        "source -n ns list -A -o json",
        "-n ns source list -A -o json",
        "source -A -o json -n ns list",
        "-A -nns -o=json source list",
        "--all true -n ns -o json source ls",
        "source list -n old --namespace ns -o yaml -o json -A=false -A",
        "source list stray -A -n ns words -o json",
        "source list -A -n ns -o json -- -A=false",
    ],
)
def test_forms_of_one_command_line_are_equal(line: str) -> None:
    invocation = parsed(line)

    assert [command.name for command in invocation.path] == ["kn-vsphere", "source", "list"]
    assert (invocation.text("namespace"), invocation.is_set("all"), invocation.text("output")) == ("ns", True, "json")


def test_flags_that_are_absent_have_their_defaults() -> None:
    invocation = parsed("source list")

    assert invocation.values == {
        "all": False, "skip": False, "output": "", "age": 300.0, "namespace": "", "context": "", "help": False
    }  # fmt: skip
    assert invocation.given == frozenset()


def test_word_after_a_bool_flag_is_its_value_if_it_can_be() -> None:
    assert parsed("source list -k false --all True").values["skip"] is False
    assert parsed("source list -k falsehood").arguments == ("falsehood",)
    assert parsed("source list -kA false").is_set("skip")
    assert not parsed("source list -kA false").is_set("all")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("source list --x", "unknown flag: --x"),
        ("source list --outpu json", "unknown flag: --outpu"),
        ("source list -x", "unknown shorthand flag: 'x' in -x"),
        ("source list -kx", "unknown shorthand flag: 'x' in -kx"),
        ("source list --output", "flag needs an argument: --output"),
        ("source list -o", "flag needs an argument: 'o' in -o"),
        ("source list ---x", "bad flag syntax: ---x"),
        ("source list --=x", "bad flag syntax: --=x"),
        (
            "source list --age 5",
            'invalid argument "5" for "--age" flag: time: missing unit in duration "5"',
        ),
        (
            "source list -A=maybe",
            'invalid argument "maybe" for "-A, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        ("foo", 'unknown command "foo" for "kn-vsphere"'),
        ("-A foo", 'unknown command "foo" for "kn-vsphere"'),
        ("sorce", 'unknown command "sorce" for "kn-vsphere"\n\nDid you mean this?\n\tsource\n'),
    ],
)
def test_faults_have_the_words_of_pflag(line: str, message: str) -> None:
    with pytest.raises(UsageError) as fault:
        parsed(line)

    assert str(fault.value) == message


def test_unknown_word_in_a_group_is_an_argument() -> None:
    assert [command.name for command in parsed("source foo").path] == ["kn-vsphere", "source"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m0s", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("0", 0),
        ("-1m", -60),
        ("+10s", 10),
        (".5s", 0.5),
    ],
)
def test_durations_are_those_of_go(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("5", 'time: missing unit in duration "5"'),
        ("5d", 'time: unknown unit "d" in duration "5d"'),
        ("five", 'time: invalid duration "five"'),
        ("-", 'time: invalid duration "-"'),
    ],
)
def test_faults_of_durations_have_the_words_of_go(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_duration(text)


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[list[str], dict[str, object]]:
    """Return the words of `source list` with flags in any form and place, and the values that they mean."""
    value = st.text("abc=-.", min_size=1, max_size=4)
    groups: list[list[str]] = []
    meant: dict[str, object] = {}
    for long, short in (("namespace", "n"), ("output", "o"), ("context", "")):
        if not draw(st.booleans()):
            continue
        meant[long] = text = draw(value)
        forms = [[f"--{long}", text], [f"--{long}={text}"]]
        forms += [[f"-{short}", text], [f"-{short}={text}"]] if short else []
        groups.append(draw(st.sampled_from(forms)))
    if draw(st.booleans()):
        meant["all"] = draw(st.booleans())
        word = str(meant["all"]).lower()
        groups.append(draw(st.sampled_from([["--all", word], [f"--all={word}"], ["-A", word], [f"-A={word}"]])))
    order = draw(st.permutations([*groups, None, None]))
    names = iter(["source", "list"])
    return [word for group in order for word in (group or [next(names)])], meant


@settings(max_examples=50, deadline=None)
@given(command_lines())
def test_flags_mean_the_same_in_any_form_and_place(line: tuple[list[str], dict[str, object]]) -> None:
    words, meant = line

    invocation = parse(ROOT, words)

    assert [command.name for command in invocation.path[1:]] == ["source", "list"]
    assert {name: invocation.values[name] for name in invocation.given} == meant
    assert invocation.arguments == ()
