// One event in full, beside the table; over it on a phone.

import { $, api, button, make, pairs } from "./dom.js";
import { bytes, dateAndTime, duration, severityInWords, shortType, SIGNS } from "./format.js";
import { glyph, kindInWords } from "./kinds.js";
import { showPayload } from "./payload.js";
import { copying, curl, showTrigger, structured } from "./trigger.js";

const TABS = ["summary", "payload", "headers", "trigger"];
const RELATED = [
  ["chain", "Chain", "events of the same operation"],
  ["target", "Target", "events about the same object"],
  ["kind", "Kind", "events about objects of this kind"],
  ["user", "User", "events by the same user"],
  ["type", "Type", "events of the same type"],
];

export class Detail {
  /** *on.filter(field, value, exclude)* is called when a value is clicked, *on.close()* when it was closed. */
  constructor(on) {
    this.on = on;
    this.row = null;
    this.whole = null;
    this.tab = "summary";
    $("close").addEventListener("click", () => this.close());
    for (const name of TABS) $(`tab-${name}`).addEventListener("click", () => this.choose(name));
    $("detail-tabs").addEventListener("keydown", (key) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key.key];
      if (!step) return;
      this.choose(TABS[(TABS.indexOf(this.tab) + step + TABS.length) % TABS.length]);
      $(`tab-${this.tab}`).focus();
    });
    $("copies").append(
      copying("Copy as JSON", () => this.copied(structured)),
      copying("Copy as curl", () => this.copied(curl)),
    );
  }

  get isOpen() {
    return this.row !== null;
  }

  async copied(write) {
    await this.loading;
    if (!this.whole) throw new Error("the event is not there");
    return write(this.whole);
  }

  /** Show the event of *row*: what the row knows at once, the rest when it was fetched. */
  open(row, utc) {
    Object.assign(this, { row, utc, whole: null });
    $("detail-title").textContent = shortType(row.type);
    $("detail-sign").textContent = SIGNS[row.severity];
    $("detail-sign").className = `sign ${row.severity}`;
    $("detail-sign").title = severityInWords(row);
    $("detail-message").textContent = row.message;
    $("fault").hidden = true;
    $("detail").hidden = false;
    document.body.classList.add("detail-open");
    this.summarize();
    for (const name of TABS.slice(1)) $(`panel-${name}`).replaceChildren(make("p", { class: "faint" }, "loading"));
    this.choose(this.tab);
    this.loading = this.load(row);
  }

  async load(row) {
    try {
      const whole = await (await api(`api/events/${row.seq}`)).json();
      if (this.row === row) this.fill(whole);
    } catch (error) {
      if (this.row !== row) return;
      $("fault").hidden = false;
      $("fault").textContent = `Not shown in full: ${error.message}`;
      for (const name of TABS.slice(1)) $(`panel-${name}`).replaceChildren();
    }
  }

  summarize() {
    const { row } = this;
    const lines = [
      ["Severity", severityInWords(row)],
      ["Happened", row.time ? dateAndTime(Date.parse(row.time), this.utc, row.time) : "it does not say"],
      ["Received", `${dateAndTime(row.received, this.utc)}${lag(row)}`],
    ];
    if (row.repeats) lines.push(["Arrived", `${row.repeats + 1} times`]);
    const related = RELATED.filter(([field]) => row[field]).map(([field, title, meaning]) =>
      make(
        "div",
        { class: "related" },
        make("dt", {}, title),
        make(
          "dd",
          {},
          make("span", {}, ...written(field, row)),
          button("only", () => this.on.filter(field, row[field], false), {
            class: "small",
            title: meaning,
            ariaLabel: `only ${meaning}`,
          }),
          button("not", () => this.on.filter(field, row[field], true), {
            class: "small",
            title: `none of the ${meaning}`,
            ariaLabel: `none of the ${meaning}`,
          }),
        ),
      ),
    );
    $("facts").replaceChildren(...pairs(lines), ...related);
    $("attributes").replaceChildren();
  }

  fill(whole) {
    this.whole = whole;
    $("attributes").replaceChildren(...pairs([...Object.entries(whole.attributes), ["payload", bytes(whole.size)]]));
    showPayload($("panel-payload"), whole);
    const headers = Object.entries(whole.headers);
    $("panel-headers").replaceChildren(
      headers.length
        ? make("dl", {}, ...pairs(headers))
        : make("p", { class: "faint" }, "The request had no other headers."),
    );
    if (this.tab === "trigger") showTrigger($("panel-trigger"), whole.attributes);
  }

  choose(tab) {
    this.tab = tab;
    for (const name of TABS) {
      const chosen = name === tab;
      $(`tab-${name}`).ariaSelected = String(chosen);
      $(`tab-${name}`).tabIndex = chosen ? 0 : -1;
      $(`panel-${name}`).hidden = !chosen;
    }
    if (tab === "trigger" && this.whole) showTrigger($("panel-trigger"), this.whole.attributes);
  }

  close() {
    if (!this.isOpen) return;
    this.row = null;
    $("detail").hidden = true;
    document.body.classList.remove("detail-open");
    this.on.close();
  }
}

function written(field, row) {
  if (field === "target") return [glyph(row.kind), row.target];
  return [{ type: shortType, kind: kindInWords }[field]?.(row[field]) ?? row[field]];
}

function lag(row) {
  const words = duration(row.received - Date.parse(row.time));
  return words ? `, ${words} later` : "";
}
