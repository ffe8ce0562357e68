"""The settings of a vCenter: its address, the login, and the events to read."""

import dataclasses
import functools
import re
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import SettingsError
from pipeline.settings.parsers import existing_file, flag, http_url, text
from pipeline.settings.variable import Secret, setting


def event_types(value: str) -> tuple[str, ...]:
    """Split names at commas or white space. A value without a name is an error: it would select every event."""
    names = tuple(value.replace(",", " ").split())
    if value and not names:
        raise ValueError(f"is {value!r}, which names no event type")
    return names


def entity(value: str) -> str:
    """Check `Type/id`, as in an event's subject."""
    if not re.fullmatch(r"[A-Za-z]+/[A-Za-z0-9_.:/-]{1,200}", value):
        raise ValueError(f"is {value!r}, not of the form Type/id")
    return value


@dataclasses.dataclass(frozen=True)
class VCenterSettings:
    """The vCenter, the login, and the events to read. The names are those that VSphereBinding injected."""

    url: str = setting("VC_URL", http_url, "Address of the vCenter.", example="https://vcenter.example")
    insecure: bool = setting(
        "VC_INSECURE", flag, "Accept any certificate. Only for tests.", example="true", default="false"
    )
    ca_bundle: str | None = setting(
        "VC_CA_BUNDLE",
        existing_file,
        "PEM file of the authorities that signed vCenter's certificate.",
        example="/etc/vcenter/ca.pem",
        default=None,
        unset="the system's authorities",
    )
    username: str | None = setting(
        "VC_USERNAME", text, "User name, unless a Secret is mounted.", example="events@vsphere.local", default=None
    )
    password: Secret | None = setting(
        "VC_PASSWORD", Secret, "Password, unless a Secret is mounted.", example="'…'", default=None
    )
    secret_path: Path = setting(
        "VC_SECRET_PATH",
        Path,
        "Folder of a mounted Secret with the files `username` and `password`. It is read at every login.",
        example="/var/bindings/vsphere",
        default="/var/bindings/vsphere",
    )

    event_types: tuple[str, ...] = setting(
        "EVENT_TYPES",
        event_types,
        "Event classes, or type ids of an EventEx, to read, separated by commas.",
        example="VmPoweredOnEvent,VmPoweredOffEvent",
        default="",
        unset="all",
    )
    entity: str | None = setting(
        "ENTITY",
        entity,
        "Managed entity whose events to read, including those of all entities below it.",
        example="Folder/group-d1",
        default=None,
        unset="all",
    )

    @functools.cached_property
    def sdk_url(self) -> str:
        """The SDK's address, `https://host[:port]/sdk`, which is every event's `source`."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/sdk'}"

    def login(self) -> tuple[str, Secret]:
        """Return the current user name and password, from the mounted files or else from the variables.

        The files go first: a rotated Secret changes them, and never the variables of a process. Raises `SettingsError`
        if there are neither.
        """
        try:
            name, password = (
                (self.secret_path / file).read_text(encoding="utf-8") for file in ("username", "password")
            )
        except (OSError, UnicodeDecodeError) as error:
            if self.username and self.password:
                return self.username, self.password
            raise SettingsError(
                [
                    (
                        "VC_USERNAME and VC_PASSWORD are not both set, and the secret's files in "
                        f"{self.secret_path} (VC_SECRET_PATH) cannot be read: {error}"
                    )
                ]
            ) from error
        return name.rstrip("\r\n"), Secret(password.rstrip("\r\n"))

    def errors(self) -> list[str]:
        """Return the error if there is no login."""
        try:
            self.login()
        except SettingsError as error:
            return list(error.errors)
        return []
