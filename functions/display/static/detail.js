// One event in full, beside the table. On a phone it covers the table.

import { valueInWords } from "./cells.js";
import { RELATED } from "./columns.js";
import { $, api, button, make, messageOf, pairs } from "./dom.js";
import { bytes, counted, dateAndTime, duration, severityInWords, SIGNS, timeIn, typeInWords } from "./format.js";
import { stepsOf } from "./operations.js";
import { showPayload } from "./payload.js";
import { glyph } from "./target-types.js";
import { showTriggers } from "./triggers.js";
import { copying, curl, showTrigger, structured } from "./trigger.js";

const MAX_STEPS = 100;
const TABS = ["summary", "payload", "headers", "trigger"];

const MAX_ATTRIBUTES = 300;

/**
 * @typedef {object} DetailListeners
 * @property {(name: string, value: string, exclude: boolean) => void} filter called when a value is clicked
 * @property {(row: Row) => void} open called when another event of the operation is chosen
 * @property {(row: Row) => Promise<import("./triggers.js").Outcome>} outcome what became of an event
 * @property {Listener} close called when the event was closed
 */

export class Detail {
  /** @param {DetailListeners} on */
  constructor(on) {
    this.on = on;
    /** @type {Row | null} */
    this.row = null;
    /** @type {WholeEvent | null} */
    this.whole = null;
    this.utc = false;
    this.tab = "summary";
    this.loading = Promise.resolve();
    $("close").addEventListener("click", () => this.close());
    for (const name of TABS) $(`tab-${name}`).addEventListener("click", () => this.choose(name));
    $("detail-tabs").addEventListener("keydown", (key) => this.key(key));
    $("copies").append(
      copying("Copy as JSON", () => this.copied(structured)),
      copying("Copy as curl", () => this.copied(curl)),
      copying("Copy link", () => location.href),
    );
  }

  get isOpen() {
    return this.row !== null;
  }

  /** @param {KeyboardEvent} key */
  key(key) {
    const step = key.key === "ArrowRight" ? 1 : key.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    this.choose(TABS[(TABS.indexOf(this.tab) + step + TABS.length) % TABS.length]);
    $(`tab-${this.tab}`).focus();
  }

  /** @param {(whole: WholeEvent) => string} write */
  async copied(write) {
    await this.loading;
    if (!this.whole) throw new Error("the event is not there");
    return write(this.whole);
  }

  /**
   * Show the event of *row*: at once what the row has, the rest when it was fetched.
   * @param {Row} row
   * @param {boolean} utc
   */
  open(row, utc) {
    Object.assign(this, { row, utc, whole: null });
    $("detail-title").textContent = typeInWords(row.type);
    $("detail-title").title = row.type;
    $("detail-sign").textContent = SIGNS[row.severity];
    $("detail-sign").className = `sign ${row.severity}`;
    $("detail-sign").title = severityInWords(row);
    $("detail-message").textContent = row.message;
    $("detail-error").hidden = true;
    $("detail").hidden = false;
    document.body.classList.add("detail-open");
    this.summarize(row);
    for (const name of TABS.slice(1)) $(`panel-${name}`).replaceChildren(make("p", { class: "faint" }, "loading"));
    this.choose(this.tab);
    this.loading = this.load(row);
  }

  /** @param {Row} row */
  async load(row) {
    try {
      const whole = await (await api(`api/events/${row.seq}`)).json();
      if (this.row === row) this.fill(whole);
    } catch (error) {
      if (this.row !== row) return;
      $("detail-error").hidden = false;
      $("detail-error").textContent = `Not shown in full: ${messageOf(error)}`;
      for (const name of TABS.slice(1)) $(`panel-${name}`).replaceChildren();
    }
  }

  /** @param {Row} row */
  summarize(row) {
    /** @type {[string, string][]} */
    const lines = [
      ["Severity", severityInWords(row)],
      [
        "Happened",
        row.isDated
          ? dateAndTime(row.at, this.utc)
          : row.time
            ? `${row.time}, which is not a time`
            : "the event has no time",
      ],
      ["Received", `${dateAndTime(row.received, this.utc)}${lag(row)}`],
    ];
    if (row.repeats) lines.push(["Arrived", `${row.repeats + 1} times`]);
    const hasChain = stepsOf(row).some((other) => other !== row && other.chain === row.chain);
    const offered = RELATED.filter(({ name }) => row[name] && (name !== "chain" || hasChain));
    const related = offered.map((column) => this.related(column, row));
    $("facts").replaceChildren(...pairs(lines), ...related);
    $("attributes").replaceChildren();
    this.showOperation(row);
    this.showMeaning(row);
  }

  /**
   * Show what the event catalogue knows about the type of *row*: description, causes and remedies.
   * @param {Row} row
   */
  async showMeaning(row) {
    $("meaning").replaceChildren();
    const entry = await explanationOf(row.type);
    if (this.row !== row || !entry) return;
    $("detail-title").textContent = entry.title || typeInWords(row.type);
    const causes = entry.causes.map(({ description, remedies }) =>
      make("li", {}, description, make("ul", {}, ...remedies.map((remedy) => make("li", { class: "remedy" }, remedy)))),
    );
    $("meaning").replaceChildren(
      entry.description && entry.description !== row.message ? make("p", {}, entry.description) : "",
      ...(causes.length ? [make("h3", {}, "Possible causes, and what to do"), make("ul", {}, ...causes)] : []),
    );
  }

  /**
   * Show the timeline of the operation of *row*.
   * @param {Row} row
   */
  showOperation(row) {
    const steps = stepsOf(row);
    $("operation").hidden = !steps.length;
    if (!steps.length) return;
    const [first, last] = [steps[0], steps[steps.length - 1]];
    const users = [...new Set(steps.filter((step) => !step.cause && step.user).map((step) => step.user))];
    const took = last.at > first.at ? ` in ${duration(last.at - first.at)}` : "";
    $("operation-title").textContent =
      `${counted(steps.length, "event")} of this operation${took}${users.length ? `, by ${users.join(", ")}` : ""}`;
    $("operation-steps").replaceChildren(...steps.slice(0, MAX_STEPS).map((step) => this.step(step, first, row)));
  }

  /**
   * @param {Row} step
   * @param {Row} first
   * @param {Row} current
   */
  step(step, first, current) {
    const after = make("span", { class: "faint figures" }, `+${duration(Math.max(0, step.at - first.at))}`);
    const sign = make("span", { class: `sign ${step.severity}`, ariaHidden: "true" }, SIGNS[step.severity]);
    const words = step.storm && step.type === first.type ? step.target || step.message : typeInWords(step.type);
    const open = button(`${step.cause ? "↳ " : ""}${words}`, () => this.on.open(step), {
      class: "plain",
      title: step.message,
    });
    if (step === current) open.setAttribute("aria-current", "true");
    return make("li", {}, after, sign, open);
  }

  /**
   * The value of *column*, with buttons that filter by it.
   * @param {Column} column
   * @param {Row} row
   */
  related(column, row) {
    const value = String(row[column.name]);
    const sign = column.name === "target" ? glyph(row.targettype) : null;
    const words = make("span", {}, sign ?? "", valueInWords(column, value));
    const only = button("only", () => this.on.filter(column.name, value, false), {
      class: "small",
      title: column.related,
      ariaLabel: `only ${column.related}`,
    });
    const none = `none of the ${column.related}`;
    const not = button("not", () => this.on.filter(column.name, value, true), {
      class: "small",
      title: none,
      ariaLabel: none,
    });
    const title = column.label[0].toUpperCase() + column.label.slice(1);
    return make("div", { class: "related" }, make("dt", {}, title), make("dd", {}, words, only, not));
  }

  /** @param {WholeEvent} whole */
  fill(whole) {
    this.whole = whole;
    if (whole.message) $("detail-message").textContent = whole.message;
    const attributes = Object.entries(whole.attributes);
    const more = attributes.length - MAX_ATTRIBUTES;
    $("attributes").replaceChildren(
      ...pairs([...attributes.slice(0, MAX_ATTRIBUTES), ["payload", bytes(whole.size)]]),
      ...(more > 0 ? pairs([["", `${counted(more, "attribute")} more, in “Copy as JSON”`]]) : []),
    );
    showPayload($("panel-payload"), whole);
    const headers = Object.entries(whole.headers);
    $("panel-headers").replaceChildren(
      headers.length
        ? make("dl", {}, ...pairs(headers))
        : make("p", { class: "faint" }, "The request had no other headers."),
    );
    if (this.tab === "trigger") this.showTrigger();
  }

  /** @param {string} tab */
  choose(tab) {
    this.tab = tab;
    for (const name of TABS) {
      const chosen = name === tab;
      $(`tab-${name}`).ariaSelected = String(chosen);
      $(`tab-${name}`).tabIndex = chosen ? 0 : -1;
      $(`panel-${name}`).hidden = !chosen;
    }
    if (tab === "trigger" && this.whole) this.showTrigger();
  }

  /** Show the Triggers that exist, what became of the event at each, and one for events like this. */
  async showTrigger() {
    const { row, whole } = this;
    if (!row || !whole) return;
    const existing = make("div", { id: "triggers" });
    showTrigger($("panel-trigger"), whole.attributes, row.seq, existing);
    const outcome = await this.on.outcome(row);
    await showTriggers(existing, row, outcome, this.on.open);
  }

  close() {
    if (!this.isOpen) return;
    this.row = null;
    $("detail").hidden = true;
    document.body.classList.remove("detail-open");
    this.on.close();
  }
}

/**
 * By type, so that each is request for once.
 * @type {Map<string, Promise<EventType | null>>}
 */
const explanations = new Map();

/**
 * The entry of the event catalogue for a *type* of vCenter, or null.
 * @param {string} type
 */
function explanationOf(type) {
  if (!type.startsWith("com.vmware.")) return Promise.resolve(null);
  const known = explanations.get(type);
  if (known) return known;
  /** @type {Promise<EventType | null>} */
  const request = api(`api/catalog?${new URLSearchParams({ type })}`).then(
    (response) => response.json(),
    () => null,
  );
  explanations.set(type, request);
  return request;
}

/** @param {Row} row */
function lag(row) {
  const words = duration(row.received - timeIn(row.time));
  return words ? `, ${words} later` : "";
}
