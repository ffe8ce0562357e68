// What is looked for, as controls: text, severities with counts, span of time, types with counts, and a chip a filter.

import { $, button, make } from "./dom.js";
import { dateAndTime, number, SEVERITIES, shortType } from "./format.js";

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
    for (const [chosen, not] of [[query.only, false], [query.not, true]]) {
      for (const [field, values] of chosen) for (const value of values) chips.push(this.chip(field, value, not));
    }
    if (query.from || query.to) chips.push(this.spanChip());
    $("chips").replaceChildren(...chips);
  }

  chip(field, value, not) {
    const words = `${not ? "not " : ""}${field}: ${field === "type" ? shortType(value) : value || "none"}`;
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

  /** Say how many there are: *bySeverity* whatever severity is chosen, *byType* of what is shown. */
  count(bySeverity, shown, held) {
    for (const severity of SEVERITIES) $(`count-${severity}`).textContent = number(bySeverity[severity]);
    const words = this.query.isEmpty ? `${number(held)} ${held === 1 ? "event" : "events"}` : `${number(shown)} of ${number(held)} shown`;
    if ($("count").textContent !== words) $("count").textContent = words;
  }

  /** List *byType*, type → count. */
  listTypes(byType) {
    const sorted = [...byType].sort(([, one], [, other]) => other - one);
    const rows = sorted.slice(0, TYPES_LISTED).map(([type, count]) =>
      make(
        "li",
        {},
        make("span", { class: "amount" }, number(count)),
        button(shortType(type), () => this.toggle("type", type), { class: "plain", title: `only ${type}` }),
        button("not", () => this.toggle("type", type, true), { class: "small", ariaLabel: `not ${shortType(type)}` }),
      ),
    );
    if (sorted.length > TYPES_LISTED) rows.push(make("li", {}, `${number(sorted.length - TYPES_LISTED)} rarer types`));
    $("type-list").replaceChildren(...rows);
  }
}

function removable(words, remove, not = false) {
  return make("li", {}, button(words, remove, { class: not ? "chip not" : "chip", title: "remove this filter", ariaLabel: `${words}: remove this filter` }));
}
