// Sending an event: from a template, or one that is held, again.

import { $, api, make } from "./dom.js";

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

export class Send {
  /** *allowed* is {targets, token}; *received(source, id)* gives the row of such an event, if it is held. */
  constructor(allowed, received) {
    Object.assign(this, { allowed, received, awaited: null });
    $("show-send").hidden = false;
    const words = { sink: "the sink (K_SINK)", display: "this display" };
    $("send-target").append(...allowed.targets.map((name) => make("option", { value: name }, words[name])));
    $("send-template").append(...Object.keys(EVENTS).map((name) => make("option", { value: name }, name)));
    $("send-template").addEventListener("change", () => this.fill(template($("send-template").value)));
    $("send-now").addEventListener("click", () => this.send());
    this.fill(template(Object.keys(EVENTS)[0]));
  }

  fill(text) {
    $("send-event").value = text;
    $("send-result").replaceChildren();
  }

  async send() {
    const say = (...lines) => $("send-result").replaceChildren(...lines.map((line) => make("li", {}, line)));
    let event;
    try {
      event = JSON.parse($("send-event").value);
    } catch (error) {
      return say(`Not sent: this is no JSON: ${error.message}`);
    }
    say("Sending");
    try {
      const answer = await api("api/send", {
        method: "POST",
        headers: { "content-type": "application/json", "x-send-token": this.allowed.token },
        body: JSON.stringify({ target: $("send-target").value, event }),
      });
      const { status, answer: words, ms } = await answer.json();
      say(
        `Sent ${event.type}, id ${event.id}`,
        `Answered ${status} after ${ms} ms${words ? `: ${words}` : ""}`,
        "Not received here yet",
      );
      this.awaited = event;
      this.arrived();
    } catch (error) {
      say(`Not sent: ${error.message}`);
    }
  }

  /** Look whether what was sent has come back. */
  arrived() {
    const row = this.awaited && this.received(this.awaited.source, this.awaited.id);
    if (!row) return;
    this.awaited = null;
    $("send-result").lastElementChild.textContent = row.repeats
      ? `Received, for the ${row.repeats + 1}th time`
      : "Received";
  }
}

function template(kind) {
  const isAlarm = kind.startsWith("Alarm");
  const data = {
    Key: 1,
    ChainId: 1,
    CreatedTime: new Date().toISOString(),
    UserName: "LAB\\anna",
    Datacenter: { Name: "Berlin", Datacenter: { Type: "Datacenter", Value: "datacenter-3" } },
    Host: { Name: "esx-01", Host: { Type: "HostSystem", Value: "host-21" } },
    Vm: kind.includes("Vm") ? { Name: "web-01", Vm: { Type: "VirtualMachine", Value: "vm-40" } } : null,
    FullFormattedMessage: EVENTS[kind],
    ...(isAlarm
      ? { Alarm: { Name: "Host memory usage", Alarm: { Type: "Alarm", Value: "alarm-4" } }, From: "green", To: "red" }
      : {}),
  };
  const event = {
    specversion: "1.0",
    type: `com.vmware.vsphere.${kind}.v0`,
    source: "/display/send",
    id: `sent-${Date.now()}`,
    time: data.CreatedTime,
    datacontenttype: "application/json",
    data,
  };
  return JSON.stringify(event, null, 2);
}
