"""The settings of Horizon's adapter: the server, the login, the sink and the checkpoint."""

import dataclasses
from pathlib import Path

from delivery.settings import CheckpointSettings, SinkSettings
from pipeline.errors import SettingsError
from pipeline.settings.parsers import existing_file, flag, http_url
from pipeline.settings.variable import Secret, setting

LOGIN_FILES = ("domain", "username", "password")


@dataclasses.dataclass(frozen=True)
class Login:
    """The credentials of one login."""

    domain: str
    username: str
    password: Secret


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """The Horizon server and the login. The names are the predecessor's."""

    url: str = setting(
        "HORIZON_URL",
        http_url,
        "Address of the Horizon server. It is the source of every event.",
        example="https://horizon.example",
    )
    insecure: bool = setting(
        "HORIZON_INSECURE", flag, "Accept any certificate. Only for tests.", example="true", default="false"
    )
    ca_bundle: str | None = setting(
        "HORIZON_CA_BUNDLE",
        existing_file,
        "PEM file of the authorities that signed Horizon's certificate.",
        example="/etc/horizon/ca.pem",
        default=None,
        unset="public authorities",
    )
    secret_path: Path = setting(
        "HORIZON_SECRET_PATH",
        Path,
        "Folder of a mounted Secret with the files `domain`, `username` and `password`. It is read at every login.",
        example="/var/bindings/horizon",
        default="/var/bindings/horizon",
    )

    def login(self) -> Login:
        """Return the current credentials. Raises `SettingsError` unless all three are there."""
        try:
            domain, username, password = (
                (self.secret_path / file).read_text(encoding="utf-8").rstrip("\r\n") for file in LOGIN_FILES
            )
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                [f"the secret's files in {self.secret_path} (HORIZON_SECRET_PATH) cannot be read: {error}"]
            ) from error
        if not (domain and username and password):
            raise SettingsError(
                [f"invalid credentials: domain, username and password must be set in {self.secret_path}"]
            )
        return Login(domain, username, Secret(password))

    def errors(self) -> list[str]:
        """Return the error if there is no login."""
        try:
            self.login()
        except SettingsError as error:
            return list(error.errors)
        return []


@dataclasses.dataclass(frozen=True)
class HorizonSettings:
    """The settings of the function `horizon`."""

    server: ServerSettings
    sink: SinkSettings
    checkpoint: CheckpointSettings
