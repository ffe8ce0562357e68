// What is looked for, as controls: text, severities with counts, span of time, types with counts, and a chip a filter.

import { $, button, make } from "./dom.js";
import { dateAndTime, number, SEVERITIES, shortType } from "./format.js";
import { kindInWords } from "./kinds.js";

const TYPES_LISTED = 200;

export class Find {
  /** *changed(typing)* is called when *query* is another. */
  constructor(query, changed) {
    Object.assign(this, { query, changed });
    $("text").addEventListener("input", () => {
      query.text = $("text").value;
      changed(true);
    });
    for (const severity of SEVERITIES) {
      $(`only-${severity}`).addEventListener("click", () => this.toggleSeverity(severity));
    }
    $("span").addEventListener("change", () => {
      query.minutes = Number($("span").value) || null;
      query.from = query.to = null;
      changed();
    });
    $("view").addEventListener("click", () => this.toggleView());
    $("utc").addEventListener("click", () => {
      query.utc = !query.utc;
      changed();
    });
    $("clear").addEventListener("click", () => {
      query.clear();
      changed();
    });
    for (const [popover, opener] of [
      ["types", "types-button"],
      ["exports", "export-button"],
    ]) {
      $(popover).addEventListener(
        "beforetoggle",
        ({ newState }) => newState === "open" && below($(opener), $(popover)),
      );
    }
    $("types").addEventListener("beforetoggle", ({ newState }) => {
      this.typesAreSeen = newState === "open";
      if (this.typesAreSeen) this.listTypes();
    });
    this.byType = new Map();
    this.types = new Map(); // type → the parts of its line that change
    this.show();
  }

  toggleSeverity(severity) {
    if (!this.query.severities.delete(severity)) this.query.severities.add(severity);
    this.changed();
  }

  toggleView() {
    this.query.view = this.query.view === "events" ? "trigger" : "events";
    this.changed();
  }

  toggle(field, value, exclude) {
    this.query.toggle(field, value, exclude);
    this.changed();
  }

  /** Let the controls say what *query* says. */
  show() {
    const { query } = this;
    if ($("text").value !== query.text) $("text").value = query.text;
    for (const severity of SEVERITIES) $(`only-${severity}`).ariaPressed = String(query.severities.has(severity));
    $("span").value = query.from || query.to ? "" : String(query.minutes ?? "");
    $("view").ariaPressed = String(query.view === "trigger");
    $("utc").ariaPressed = String(query.utc);
    $("clear").hidden = query.isEmpty;
    const chips = [];
    for (const [chosen, not] of [
      [query.only, false],
      [query.not, true],
    ]) {
      for (const [field, values] of chosen) for (const value of values) chips.push(this.chip(field, value, not));
    }
    if (query.from || query.to) chips.push(this.spanChip());
    $("chips").replaceChildren(...chips);
  }

  chip(field, value, not) {
    const written = { type: shortType, kind: kindInWords }[field]?.(value) ?? value;
    const words = `${not ? "not " : ""}${field}: ${written || "none"}`;
    return removable(words, () => this.toggle(field, value, not), not);
  }

  spanChip() {
    const { from, to, utc } = this.query;
    const words = `time: ${from ? dateAndTime(from, utc) : "…"} – ${to ? dateAndTime(to, utc) : "…"}`;
    return removable(words, () => {
      this.query.from = this.query.to = null;
      this.changed();
    });
  }

  /** Say how many there are of each severity and type, how many are shown, and held. */
  count(bySeverity, byType, shown, held) {
    this.byType = byType;
    $("count-types").textContent = number(byType.size);
    this.countTypes();
    for (const severity of SEVERITIES) $(`count-${severity}`).textContent = number(bySeverity[severity]);
    const words = this.query.isEmpty
      ? `${number(held)} ${held === 1 ? "event" : "events"}`
      : `${number(shown)} of ${number(held)} shown`;
    if ($("count").textContent !== words) $("count").textContent = words;
  }

  /** List the types, the most frequent first. */
  listTypes() {
    this.types.clear();
    $("type-list").replaceChildren();
    const chosen = [...this.query.only.get("type"), ...this.query.not.get("type")];
    const all = new Map([...chosen.map((type) => [type, 0]), ...this.byType]);
    const sorted = [...all].sort(
      ([one, times], [other, others]) => others - times || shortType(one).localeCompare(shortType(other)),
    );
    for (const [type] of sorted) this.listType(type);
    this.countTypes();
  }

  listType(type) {
    if (this.types.size >= TYPES_LISTED) return;
    const count = make("span", { class: "amount" });
    const only = button(shortType(type), (click) => this.toggle("type", type, click.shiftKey || click.altKey), {
      class: "plain",
      title: `only ${type}`,
    });
    const not = button("not", () => this.toggle("type", type, true), {
      class: "small",
      ariaLabel: `not ${shortType(type)}`,
    });
    this.types.set(type, { count, only, not });
    $("type-list").append(make("li", {}, count, only, not));
  }

  /** Bring the open list up to date. Its order stays, so that nothing moves under the pointer; new types come last. */
  countTypes() {
    if (!this.typesAreSeen) return;
    for (const type of this.byType.keys()) if (!this.types.has(type)) this.listType(type);
    for (const [type, { count, only, not }] of this.types) {
      count.textContent = number(this.byType.get(type) ?? 0);
      only.ariaPressed = String(this.query.only.get("type").has(type));
      not.ariaPressed = String(this.query.not.get("type").has(type));
    }
  }
}

/** Put *popover* below its *opener*, within the window. */
function below(opener, popover) {
  const { left, bottom } = opener.getBoundingClientRect();
  const width = 340;
  popover.style.top = `${bottom + 4}px`;
  popover.style.left = `${Math.max(12, Math.min(left, innerWidth - width - 12))}px`;
}

function removable(words, remove, not = false) {
  return make(
    "li",
    {},
    button(words, remove, {
      class: not ? "chip not" : "chip",
      title: "remove this filter",
      ariaLabel: `${words}: remove this filter`,
    }),
  );
}
