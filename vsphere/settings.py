"""The settings of a vCenter: its address and how to log in."""

import dataclasses
import re
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import SettingsError
from pipeline.settings.parsers import existing_file, flag, http_url, text, words
from pipeline.settings.variable import Secret, setting


def entity(value: str) -> str:
    """`Type/id`, as in an event's subject."""
    if not re.fullmatch(r"[A-Za-z]+/[\w.-]+", value):
        raise ValueError(f"is {value!r}, not of the form Type/id")
    return value


@dataclasses.dataclass(frozen=True)
class VCenterSettings:
    """Which vCenter, and how to log in. The names are those that VSphereBinding injected."""

    url: str = setting("VC_URL", http_url, "the vCenter's address", example="https://vcenter.example")
    insecure: bool = setting(
        "VC_INSECURE", flag, "accept any certificate: only for tests", example="true", default="false"
    )
    ca_bundle: str | None = setting(
        "VC_CA_BUNDLE",
        existing_file,
        "file of the authorities that signed vCenter's certificate, in PEM; unset: the system's",
        example="/etc/vcenter/ca.pem",
        default=None,
    )
    username: str | None = setting(
        "VC_USERNAME", text, "user name, unless a secret is mounted", example="events@vsphere.local", default=None
    )
    password: Secret | None = setting(
        "VC_PASSWORD", Secret, "password, unless a secret is mounted", example="'…'", default=None
    )
    secret_path: Path = setting(
        "VC_SECRET_PATH",
        Path,
        "folder of a mounted secret with the files username and password; read again at every login",
        example="/var/bindings/vsphere",
        default="/var/bindings/vsphere",
    )

    event_types: tuple[str, ...] = setting(
        "EVENT_TYPES",
        words,
        "event classes, or type ids of an EventEx, to read, separated by commas; unset: all",
        example="VmPoweredOnEvent,VmPoweredOffEvent",
        default="",
    )
    entity: str | None = setting(
        "ENTITY",
        entity,
        "managed entity to read the events of, with all below it; unset: all",
        example="Folder/group-d1",
        default=None,
    )

    @property
    def sdk_url(self) -> str:
        """The SDK's address, `https://host[:port]/sdk`, which is every event's `source`."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/sdk'}"

    def login(self) -> tuple[str, Secret]:
        """User name and password as they are now: of the variables, else of the mounted files.

        Raises `SettingsError` where there are neither.
        """
        if self.username and self.password:
            return self.username, self.password
        try:
            name, password = (
                (self.secret_path / file).read_text(encoding="utf-8") for file in ("username", "password")
            )
        except (OSError, UnicodeDecodeError) as error:
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
        """What is wrong with the values together."""
        try:
            self.login()
        except SettingsError as error:
            return list(error.errors)
        return []
