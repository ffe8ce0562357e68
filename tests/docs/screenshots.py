"""`python -m tests.docs.screenshots`: take the screenshots in docs/display/, of a real display in a real Chromium.

The events are invented. They resemble those of a small data centre on a bad afternoon.
"""

import base64
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.support.manifests import TOKEN
from tests.support.serving import BASIC, SENDING, Served

FOLDER = Path(__file__).parent.parent.parent / "docs" / "display"
BATCH = {"content-type": "application/cloudevents-batch+json"}
VMS = ["web-01", "web-02", "web-03", "db-01", "db-02", "cache-01", "build-07", "mail-01", "erp-prod", "erp-test"]
HOSTS = ["esx-01.lab.example", "esx-02.lab.example", "esx-03.lab.example", "esx-04.lab.example"]
DATASTORES = ["datastore-ssd-1", "datastore-ssd-2"]
USERS = ["LAB\\anna", "LAB\\bert", "LAB\\backup", "VSPHERE.LOCAL\\vpxd-extension", ""]

KINDS: list[tuple[int, str, str, str]] = [
    (20, "VmPoweredOnEvent", "vm", "{vm} on {host} in Berlin is powered on"),
    (16, "VmPoweredOffEvent", "vm", "{vm} on {host} in Berlin is powered off"),
    (14, "UserLoginSessionEvent", "", "User {user}@10.1.4.17 logged in as Mozilla/5.0"),
    (12, "UserLogoutSessionEvent", "", "User {user}@10.1.4.17 logged out (login time: 8 minutes)"),
    (14, "VmReconfiguredEvent", "vm", "Reconfigured {vm} on {host} in Berlin"),
    (12, "DrsVmMigratedEvent", "vm", "DRS migrated {vm} to {host} in cluster Production"),
    (10, "TaskEvent", "vm", "Task: Create virtual machine snapshot"),
    (5, "VmRemovedEvent", "vm", "Removed {vm} on {host} from Berlin"),
    (4, "HostDisconnectedEvent", "host", "Disconnected from {host} in Berlin. Reason: user request"),
    (6, "HostConnectionLostEvent", "host", "Host {host} in Berlin is not responding"),
    (6, "VmFailedToPowerOnEvent", "vm", "Failed to power on {vm} on {host} in Berlin: insufficient memory"),
    (3, "AlarmStatusChangedEvent", "vm", "Alarm 'Virtual machine CPU usage' on {vm} changed from Green to Yellow"),
    (2, "esx.problem.vmfs.heartbeat.timedout", "host", "Lost access to volume 5f1c (datastore-ssd-2) on {host}"),
    (
        2,
        "esx.problem.net.redundancy.degraded",
        "host",
        "Uplink redundancy degraded on virtual switch vSwitch0 on {host}",
    ),
    (6, "DatastoreFileDeletedEvent", "datastore", "File erp-test/erp-test-000003.vmdk deleted from {datastore}"),
    (3, "ClusterReconfiguredEvent", "cluster", "Reconfigured cluster Production in datacenter Berlin"),
    (2, "esx.clear.net.redundancy.restored", "host", "Uplink redundancy restored on virtual switch vSwitch0 on {host}"),
]


def events(number: int, minutes: float) -> Iterator[dict[str, Any]]:
    """Yield *number* events of the last *minutes*, oldest first. Only their times differ between runs."""
    chosen = random.Random(12)
    now = datetime.now(UTC)
    times = sorted(chosen.random() ** 0.8 for _ in range(number))
    for index, share in enumerate(times):
        _, kind, about, words = chosen.choices(KINDS, [weight for weight, *_ in KINDS])[0]
        vm, host, user = chosen.choice(VMS), chosen.choice(HOSTS), chosen.choice(USERS)
        datastore = chosen.choice(DATASTORES)
        time = (now - timedelta(minutes=minutes * (1 - share))).isoformat().replace("+00:00", "Z")
        data: dict[str, Any] = {
            "Key": 80_000 + index,
            "ChainId": 80_000 + index,
            "CreatedTime": time,
            "UserName": user,
            "Datacenter": {"Name": "Berlin", "Datacenter": {"Type": "Datacenter", "Value": "datacenter-3"}},
            "ComputeResource": {
                "Name": "Production",
                "ComputeResource": {"Type": "ClusterComputeResource", "Value": "domain-c8"},
            },
            "Host": {"Name": host, "Host": {"Type": "HostSystem", "Value": f"host-{20 + HOSTS.index(host)}"}},
            "Vm": {"Name": vm, "Vm": {"Type": "VirtualMachine", "Value": f"vm-{40 + VMS.index(vm)}"}}
            if about == "vm"
            else None,
            "FullFormattedMessage": words.format(vm=vm, host=host, datastore=datastore, user=user or "root"),
        }
        if about in ("", "datastore", "cluster"):
            data["Host"] = None
        if about in ("", "datastore"):
            data["ComputeResource"] = None
        if about == "datastore":
            reference = {"Type": "Datastore", "Value": f"datastore-{60 + DATASTORES.index(datastore)}"}
            data["Ds"] = {"Name": datastore, "Datastore": reference}
        if kind.startswith("esx."):
            data["Severity"] = "error" if "timedout" in kind else ""
        if kind == "AlarmStatusChangedEvent":
            data |= {"Alarm": {"Name": "Virtual machine CPU usage"}, "From": "green", "To": "yellow"}
        yield {
            "specversion": "1.0",
            "type": f"com.vmware.vsphere.{kind}.v0",
            "source": "https://vcenter.lab.example/sdk",
            "id": str(80_000 + index),
            "time": time,
            "subject": {
                "vm": f"VirtualMachine/vm-{40 + VMS.index(vm)}",
                "host": f"HostSystem/host-{20 + HOSTS.index(host)}",
                "datastore": f"Datastore/datastore-{60 + DATASTORES.index(datastore)}",
                "cluster": "ClusterComputeResource/domain-c8",
            }.get(about, "Datacenter/datacenter-3"),
            "datacontenttype": "application/json",
            "data": data,
        }


def fill(served: Served, number: int, minutes: float) -> None:
    """Post such events to *served*, and one request that it rejects."""
    batch = list(events(number, minutes))
    for start in range(0, number, 500):
        served.request("POST", "/", json.dumps(batch[start : start + 500]), BATCH)
    served.request("POST", "/", b'{"alarm": "disk full"}', {"content-type": "application/json"})


FAILURES = [
    ("webhook", "503", "the ticket system is away"),
    ("tag", "400", "the tag lifecycle/created-today does not exist: make it, or set TAG_CREATE=true"),
    ("notify", "", ""),
    ("webhook", "500", "Internal Server Error"),
]
"""Subscriber, status and response of a failed delivery. Without a status the subscriber did not respond."""


def fail(deadletter: Served, number: int) -> None:
    """Post *number* dead letters, as a Broker does. Some of them failed more than once."""
    for index, event in enumerate(list(events(400, 12 * 60))[-number * 9 :: 9]):
        subscriber, code, response = FAILURES[index * 3 % 4]
        failed = {"knativeerrordest": f"http://{subscriber}.vcenter-events.svc.cluster.local/"}
        if code:
            failed |= {"knativeerrorcode": code, "knativeerrordata": base64.b64encode(response.encode()).decode()}
        for times in range(1 + index % 3):
            dead_letter = event | failed | {"knativearrivaltime": f"{event['time']}/{times}"}
            deadletter.request("POST", "/", json.dumps(dead_letter), {"content-type": "application/cloudevents+json"})


def settled(page: Page, number: int, connection: str = "live") -> None:
    """Wait until the page shows and counts the stored events."""
    page.wait_for_selector(f"body[data-connection={connection}][data-held='{number}']", state="attached")
    page.wait_for_timeout(600)


def main() -> None:
    """Take all screenshots."""
    wide, phone = ViewportSize(width=1360, height=820), ViewportSize(width=390, height=780)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
                "--disable-sync",
            ],
        )  # fmt: skip

        def picture(name: str, page: Page) -> None:
            page.screenshot(path=FOLDER / f"{name}.png")

        with Served("display") as served:
            page = browser.new_page(viewport=wide)
            page.goto(served.address)
            settled(page, 0)
            picture("empty", page)
            fill(served, 400, 15)
            settled(page, 400)
            picture("light", page)
            page.emulate_media(color_scheme="dark")
            page.wait_for_timeout(200)
            picture("dark", page)
            page.emulate_media(color_scheme="light")
            page.locator("#rows :is(.error, .warning) .message").first.click()
            page.wait_for_selector("#attributes dd")
            picture("event", page)
            page.click("#tab-trigger")
            page.locator("#verdict", has_text="matches").wait_for()
            picture("trigger", page)
            page.click("#close")
            page.click("#view")
            page.wait_for_timeout(300)
            picture("trigger-view", page)
            page.click("#show-rejected")
            page.click("#rejected-list summary")
            page.wait_for_selector("#rejected-list pre")
            picture("rejected", page)
            small = browser.new_page(viewport=phone, device_scale_factor=2, is_mobile=True, has_touch=True)
            small.goto(served.address)
            settled(small, 400)
            picture("phone", small)
            page.click("#show-events")
            page.click("#view")
            served.process.terminate()
            page.wait_for_selector("body[data-connection=offline]", state="attached")
            picture("offline", page)
        with (
            Served("deadletter", DEADLETTER_TOKEN=TOKEN) as deadletter,
            Served(
                "display",
                **SENDING,
                DISPLAY_DEAD_LETTERS=deadletter.address,
            ) as served,
        ):
            fail(deadletter, 12)
            page = browser.new_page(viewport=wide, extra_http_headers={"Authorization": BASIC})
            page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=2))  # so that the dead letters have an age
            page.goto(served.address)
            settled(page, 0)
            page.click("#show-dead-letters")
            for ticked in (0, 3):
                page.locator("#dead-letter-list input").nth(ticked).check()
            page.click("#dead-letter-list summary >> nth=6")
            page.wait_for_selector("#dead-letter-list .payload")
            picture("dead-letters", page)
        with Served("display") as served:
            fill(served, 10_000, 240)
            page = browser.new_page(viewport=wide)
            page.goto(f"{served.address}?q=web")
            settled(page, 10_000)
            picture("10000-events", page)
        browser.close()


if __name__ == "__main__":
    main()
