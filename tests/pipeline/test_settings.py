"""Settings report every error with its variable and an example. Secrets stay secret."""

import dataclasses
from typing import Any

import pytest

from delivery.settings import SinkSettings, ce_overrides, checkpoint_address
from functions.poller.settings import PollerSettings
from pipeline.errors import SettingsError
from pipeline.settings import Secret, read, setting, text
from pipeline.settings.parsers import duration, flag, http_url, whole_number
from vsphere.settings import VCenterSettings

GOOD = {"VC_URL": "https://vcenter.example", "VC_USERNAME": "u", "VC_PASSWORD": "hunter2", "K_SINK": "http://sink/"}


def test_every_error_names_its_variable_and_an_example() -> None:
    with pytest.raises(SettingsError) as raised:
        read(PollerSettings, {"VC_URL": "vcenter", "VC_INSECURE": "maybe", "FOLLOW_SECONDS": "5 min"})
    errors = raised.value.errors
    assert [error.split()[0] for error in errors] == [
        "VC_URL",
        "VC_INSECURE",
        "VC_USERNAME",
        "K_SINK",
        "FOLLOW_SECONDS",
    ]
    assert all("Example: " in error for error in errors if not error.startswith("VC_USERNAME"))


def test_empty_variable_counts_as_unset() -> None:
    assert read(PollerSettings, {**GOOD, "FOLLOW_SECONDS": " "}).follow_seconds == 15


def test_defaults_are_the_documented_ones() -> None:
    settings = read(PollerSettings, GOOD)
    assert (settings.replay_window_seconds, settings.checkpoint.period_seconds) == (300, 10)
    assert settings.encoding == "application/json"


def test_secrets_are_not_printed() -> None:
    settings = read(PollerSettings, GOOD)
    assert "hunter2" not in f"{settings} {settings.vcenter.password} {settings!r}"
    assert settings.vcenter.login()[1].reveal() == "hunter2"


def test_mounted_login_goes_before_variables(tmp_path: Any) -> None:
    """A VSphereBinding sets both, and a rotated Secret changes the files alone."""
    environ = {"VC_URL": "https://v", "VC_USERNAME": "old", "VC_PASSWORD": "old", "VC_SECRET_PATH": str(tmp_path)}
    settings = read(VCenterSettings, environ)
    assert settings.login() == ("old", Secret("old"))

    (tmp_path / "username").write_text("new")
    (tmp_path / "password").write_text("new")

    assert settings.login() == ("new", Secret("new"))


def test_credentials_come_from_the_mounted_files(tmp_path: Any) -> None:
    (tmp_path / "username").write_text("user@vsphere.local\n")
    (tmp_path / "password").write_text(" spaces count \n")
    settings = read(VCenterSettings, {"VC_URL": "https://v", "VC_SECRET_PATH": str(tmp_path)})
    assert settings.login() == ("user@vsphere.local", Secret(" spaces count "))


@pytest.mark.parametrize(
    ("url", "sdk"),
    [
        ("https://vcenter.example", "https://vcenter.example/sdk"),
        ("https://vcenter.example/", "https://vcenter.example/sdk"),
        ("https://vcenter.example:8443/sdk", "https://vcenter.example:8443/sdk"),
    ],
)
def test_sdk_address_is_the_source(url: str, sdk: str) -> None:
    assert read(VCenterSettings, {**GOOD, "VC_URL": url}).sdk_url == sdk


@pytest.mark.parametrize(
    ("text_", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("10s", 10), ("15", 15), ("0", 0), ("1.5s", 1.5)],
)
def test_duration(text_: str, seconds: float) -> None:
    assert duration(text_) == seconds


@pytest.mark.parametrize(
    ("parse", "bad"),
    [
        (duration, "5 m"),
        (duration, "-1s"),
        (duration, "m5"),
        (duration, ""),
        (flag, "maybe"),
        (whole_number(1, 10), "11"),
        (whole_number(1, 10), "1.5"),
        (http_url, "vcenter.example"),
        (http_url, "ftp://x"),
        (http_url, "https://"),
        (http_url, "https://x:port"),
        (http_url, "https://user:pass@x"),
        (ce_overrides, "{"),
        (ce_overrides, "[]"),
        (ce_overrides, '{"extensions": {"Not-Legal": "x"}}'),
        (checkpoint_address, "etcd:x"),
        (checkpoint_address, "file:"),
        (checkpoint_address, "memory:x"),
    ],
)
def test_malformed_value_is_rejected(parse: Any, bad: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|holds|has|names) "):
        parse(bad)


def test_url_with_credentials_is_rejected_without_quoting_them() -> None:
    with pytest.raises(SettingsError) as raised:
        read(SinkSettings, {"K_SINK": "http://user:hunter2@sink/"})
    assert "hunter2" not in str(raised.value)


def test_optional_setting_may_stay_unset() -> None:
    @dataclasses.dataclass(frozen=True)
    class Example:
        """A settings class of one optional setting."""

        name: str | None = setting("NAME", text, "a name", example="x", default=None)

    assert read(Example, {}).name is None
    assert read(Example, {"NAME": "y"}).name == "y"
