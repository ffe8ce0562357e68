"""Only the plugins of apprise that NOTIFY_URLS names are imported."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import apprise

from functions.notify import plugins

LOADED = """
import json, sys
from functions.notify.settings import apprise_urls
import apprise
apprise_urls(sys.argv[1])
services = [apprise.Apprise.instantiate(url).service_name for url in sys.argv[1].split()]
modules = {name.split(".")[2] for name in sys.modules if name.startswith("apprise.plugins.")}
print(json.dumps({"services": [str(service) for service in services], "modules": len(modules)}))
"""


SCHEMES = """
import json, apprise
manager = apprise.NotificationManager()
print(json.dumps({scheme: manager[scheme].__module__.split(".")[2] for scheme in manager.schemas()}))
"""


def in_a_process(program: str, *arguments: str) -> dict[str, Any]:
    """Run *program* in a new process, which has no plugin loaded yet, and return the JSON that it prints."""
    command = [sys.executable, "-c", program, *arguments]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def loaded(urls: str) -> dict[str, Any]:
    """Load *urls*, and return the names of their services and the number of plugin modules."""
    return in_a_process(LOADED, urls)


def test_only_the_plugins_of_the_urls_are_imported() -> None:
    result = loaded("json://127.0.0.1/ slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/ mailto://a:b@example.com")
    assert result["services"] == ["JSON", "Slack", "E-Mail"]
    assert result["modules"] < 20


def test_address_of_a_service_loads_all_plugins() -> None:
    address = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert loaded(f"json://127.0.0.1/ {address}")["services"] == ["JSON", "Slack"]


def test_nearly_every_scheme_names_its_plugin() -> None:
    modules = in_a_process(SCHEMES)
    folder = Path(apprise.NotificationManager().module_path)
    detected = {scheme for scheme, module in modules.items() if module in plugins.modules_of([scheme], folder)}
    # The others are loaded with all plugins.
    assert set(modules) - detected <= {"dbus", "kde", "qt"}
    assert len(detected) > 200
