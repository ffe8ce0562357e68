// Sends an event: from a template, or a held one again.

import { $, api, make, messageOf } from "./dom.js";

/** @type {Record<string, string>} */
const EVENTS = {
  VmPoweredOffEvent: "web-01 on esx-01 in Berlin is powered off",
  VmPoweredOnEvent: "web-01 on esx-01 in Berlin is powered on",
  VmCreatedEvent: "Created virtual machine web-01 on esx-01 in Berlin",
  VmRemovedEvent: "Removed web-01 on esx-01 from Berlin",
  DrsVmMigratedEvent: "DRS migrated web-01 from esx-01 to esx-02 in cluster Production in Berlin",
  HostConnectionLostEvent: "Host esx-01 in Berlin is not responding",
  AlarmStatusChangedEvent: "Alarm 'Host memory usage' on esx-01 changed from Green to Red",
  UserLoginSessionEvent: "User LAB\\anna@10.1.4.17 logged in as Mozilla/5.0",
};

/** @type {Record<string, string>} */
const TARGETS = { sink: "the sink (K_SINK)", display: "this display" };

export class Send {
  /**
   * @param {Permission} permission
   * @param {(source: string, id: string) => Row | undefined} received gives the row of an event, if it is held
   */
  constructor(permission, received) {
    this.permission = permission;
    this.received = received;
    /**
     * The event that was sent and has not arrived yet.
     * @type {{ source: string, id: string } | null}
     */
    this.awaited = null;
    $("show-send").hidden = false;
    $("send-target").append(...permission.targets.map((name) => make("option", { value: name }, TARGETS[name])));
    $("send-template").append(...Object.keys(EVENTS).map((name) => make("option", { value: name }, name)));
    $("send-template").addEventListener("change", () => this.fill(template($("send-template").value)));
    $("send-now").addEventListener("click", () => this.send());
    this.fill(template(Object.keys(EVENTS)[0]));
  }

  /** @param {string} text */
  fill(text) {
    $("send-event").value = text;
    $("send-result").replaceChildren();
  }

  /** @param {string[]} lines */
  report(...lines) {
    $("send-result").replaceChildren(...lines.map((line) => make("li", {}, line)));
  }

  async send() {
    let event;
    try {
      event = JSON.parse($("send-event").value);
    } catch (error) {
      return this.report(`Not sent: this is not JSON: ${messageOf(error)}`);
    }
    this.report("Sending");
    try {
      const result = await api("api/send", {
        method: "POST",
        headers: { "content-type": "application/json", "x-send-token": this.permission.token },
        body: JSON.stringify({ target: $("send-target").value, event }),
      });
      const { status, response: words, ms } = await result.json();
      this.report(
        `Sent ${event.type}, id ${event.id}`,
        `Answered ${status} after ${ms} ms${words ? `: ${words}` : ""}`,
        "Not received here yet",
      );
      this.awaited = event;
      this.arrived();
    } catch (error) {
      this.report(`Not sent: ${messageOf(error)}`);
    }
  }

  /** Look for the event that was sent among those that arrived. */
  arrived() {
    const row = this.awaited && this.received(this.awaited.source, this.awaited.id);
    if (!row) return;
    this.awaited = null;
    const last = $("send-result").lastElementChild;
    if (last) last.textContent = row.repeats ? `Received, for the ${row.repeats + 1}th time` : "Received";
  }
}

/**
 * An example of an event of the class *name*, in structured mode.
 * @param {string} name
 */
function template(name) {
  const isAlarm = name.startsWith("Alarm");
  const data = {
    Key: 1,
    ChainId: 1,
    CreatedTime: new Date().toISOString(),
    UserName: "LAB\\anna",
    Datacenter: { Name: "Berlin", Datacenter: { Type: "Datacenter", Value: "datacenter-3" } },
    Host: { Name: "esx-01", Host: { Type: "HostSystem", Value: "host-21" } },
    Vm: name.includes("Vm") ? { Name: "web-01", Vm: { Type: "VirtualMachine", Value: "vm-40" } } : null,
    FullFormattedMessage: EVENTS[name],
    ...(isAlarm
      ? { Alarm: { Name: "Host memory usage", Alarm: { Type: "Alarm", Value: "alarm-4" } }, From: "green", To: "red" }
      : {}),
  };
  const event = {
    specversion: "1.0",
    type: `com.vmware.vsphere.${name}.v0`,
    source: "/display/send",
    id: `sent-${Date.now()}`,
    time: data.CreatedTime,
    datacontenttype: "application/json",
    data,
  };
  return JSON.stringify(event, null, 2);
}
