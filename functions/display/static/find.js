// The filters as controls: text, severities with counts, time span, types with counts, and a chip for each filter.

import { valueInWords } from "./cells.js";
import { columnNamed, FIELDS } from "./columns.js";
import { $, button, make } from "./dom.js";
import { counted, dateAndTime, number, SEVERITIES } from "./format.js";

/** @import { Query } from "./query.js" */

const FACETS = ["type", "target", "host", "user", "source", "cluster", "datacenter"];
/** @type {Record<string, string>} */
const FACETS_IN_WORDS = { type: "types of events" };
const VALUES_LISTED = 200;

/**
 * The parts of a type's line that change.
 * @typedef {{ count: HTMLElement, only: HTMLElement, not: HTMLElement }} ValueLine
 */

export class Find {
  /**
   * @param {Query} query
   * @param {(typing?: boolean) => void} changed called when *query* has changed
   */
  constructor(query, changed) {
    this.query = query;
    this.changed = changed;
    /** @type {Map<string, number>} */
    this.byValue = new Map();
    /** @type {Map<string, ValueLine>} */
    this.values = new Map();
    this.valuesAreSeen = false;
    /**
     * The values of a field, the most frequent first.
     * @type {(field: string) => string[]}
     */
    this.valuesOf = () => [];
    this.listen();
    this.show();
  }

  listen() {
    const { query } = this;
    $("text").addEventListener("input", () => {
      query.text = $("text").value;
      this.complete();
      this.changed(true);
    });
    for (const severity of SEVERITIES) {
      $(`only-${severity}`).addEventListener("click", () => this.toggleSeverity(severity));
    }
    $("span").addEventListener("change", () => {
      query.minutes = Number($("span").value) || null;
      query.from = query.to = null;
      this.changed();
    });
    $("view").addEventListener("click", () => this.toggleView());
    $("utc").addEventListener("click", () => {
      query.utc = !query.utc;
      this.changed();
    });
    $("steps").addEventListener("click", () => {
      query.steps = !query.steps;
      this.changed();
    });
    $("clear").addEventListener("click", () => {
      query.clear();
      this.changed();
    });
    $("facet").append(
      ...FACETS.map((name) => make("option", { value: name }, FACETS_IN_WORDS[name] ?? `${columnNamed(name).label}s`)),
    );
    $("facet").addEventListener("change", () => {
      query.facet = $("facet").value;
      this.byValue = new Map();
      this.changed(true);
      this.listValues();
    });
    onOpening("types", () => below($("types-button"), $("types")));
    onOpening("exports", () => below($("export-button"), $("exports")));
    $("types").addEventListener("beforetoggle", (event) => {
      this.valuesAreSeen = isOpening(event);
      if (this.valuesAreSeen) this.listValues();
    });
  }

  /** Offer what the last word may become: the name of a field, or a value of it. */
  complete() {
    const [, before, field, start] = /^(.*?)-?(?:([a-z]+):)?(\S*)$/.exec(this.query.text) ?? [];
    const isField = field !== undefined && FIELDS.has(field);
    const names = start && field === undefined ? [...FIELDS].filter((name) => name.startsWith(start)) : [];
    const values = isField
      ? this.valuesOf(field).filter((value) => value.toLowerCase().includes(start.toLowerCase()))
      : [];
    const words = isField
      ? values.map((value) => `${field}:${/\s/.test(value) ? `"${value}"` : value}`)
      : names.map((name) => `${name}:`);
    $("completions").replaceChildren(...words.slice(0, 12).map((word) => make("option", { value: before + word })));
  }

  /** @param {Severity} severity */
  toggleSeverity(severity) {
    if (!this.query.severities.delete(severity)) this.query.severities.add(severity);
    this.changed();
  }

  toggleView() {
    this.query.view = this.query.view === "events" ? "trigger" : "events";
    this.changed();
  }

  /**
   * @param {string} name of a column
   * @param {string} value
   * @param {boolean} exclude
   */
  toggle(name, value, exclude) {
    this.query.toggle(name, value, exclude);
    this.changed();
  }

  /** Let the controls show the query. */
  show() {
    const { query } = this;
    if ($("text").value !== query.text) $("text").value = query.text;
    for (const severity of SEVERITIES) $(`only-${severity}`).ariaPressed = String(query.severities.has(severity));
    $("span").value = query.from || query.to ? "" : String(query.minutes ?? "");
    $("view").ariaPressed = String(query.view === "trigger");
    $("steps").ariaPressed = String(!query.steps);
    $("utc").ariaPressed = String(query.utc);
    $("clear").hidden = query.isEmpty;
    const chips = [];
    for (const [filters, exclude] of /** @type {const} */ ([
      [query.only, false],
      [query.not, true],
    ])) {
      for (const [name, values] of filters) for (const value of values) chips.push(this.chip(name, value, exclude));
    }
    if (query.from || query.to) chips.push(this.spanChip());
    $("chips").replaceChildren(...chips);
    const set = chips.length + query.severities.size + (query.minutes ? 1 : 0);
    $("filter-button").textContent = set ? `Filter (${set})` : "Filter";
  }

  /**
   * @param {string} name
   * @param {string} value
   * @param {boolean} exclude
   */
  chip(name, value, exclude) {
    const column = columnNamed(name);
    const words = `${exclude ? "not " : ""}${column.label}: ${valueInWords(column, value) || "none"}`;
    return removable(words, () => this.toggle(name, value, exclude), exclude);
  }

  spanChip() {
    const { from, to, utc } = this.query;
    const words = `time: ${from ? dateAndTime(from, utc) : "…"} – ${to ? dateAndTime(to, utc) : "…"}`;
    return removable(words, () => {
      this.query.from = this.query.to = null;
      this.changed();
    });
  }

  /**
   * Show how many events there are of each severity and type, how many are shown, and how many are held.
   * @param {Record<Severity, number>} bySeverity
   * @param {Map<string, number>} byValue
   * @param {number} shown
   * @param {number} folded
   * @param {number} held
   */
  count(bySeverity, byValue, shown, folded, held) {
    $("count-steps").textContent = number(folded);
    this.byValue = byValue;
    $("count-types").textContent = number(byValue.size);
    this.countValues();
    for (const severity of SEVERITIES) $(`count-${severity}`).textContent = number(bySeverity[severity]);
    const words = this.query.isEmpty ? counted(held, "event") : `${number(shown)} of ${number(held)} shown`;
    if ($("count").textContent !== words) $("count").textContent = words;
  }

  /** @param {"only" | "not"} which */
  chosenValues(which) {
    return this.query[which].get(this.query.facet) ?? new Set();
  }

  /** @param {string} value */
  inWords(value) {
    return valueInWords(columnNamed(this.query.facet), value);
  }

  /** List the values of the facet, the most frequent first. */
  listValues() {
    this.values.clear();
    $("type-list").replaceChildren();
    const chosen = [...this.chosenValues("only"), ...this.chosenValues("not")];
    /** @type {Map<string, number>} */
    const all = new Map([...chosen.map((value) => /** @type {const} */ ([value, 0])), ...this.byValue]);
    const sorted = [...all].sort(
      ([one, times], [other, others]) => others - times || this.inWords(one).localeCompare(this.inWords(other)),
    );
    for (const [value] of sorted) this.listValue(value);
    this.countValues();
  }

  /** @param {string} value */
  listValue(value) {
    if (this.values.size >= VALUES_LISTED) return;
    const count = make("span", { class: "amount" });
    const only = button(
      this.inWords(value),
      (click) => this.toggle(this.query.facet, value, click.shiftKey || click.altKey),
      {
        class: "plain",
        title: `only ${value}`,
      },
    );
    const not = button("not", () => this.toggle(this.query.facet, value, true), {
      class: "small",
      ariaLabel: `not ${this.inWords(value)}`,
    });
    this.values.set(value, { count, only, not });
    $("type-list").append(make("li", {}, count, only, not));
  }

  /** Update the open list. Its order stays, so that nothing moves under the pointer, and new values come last. */
  countValues() {
    if (!this.valuesAreSeen) return;
    for (const value of this.byValue.keys()) if (!this.values.has(value)) this.listValue(value);
    for (const [value, { count, only, not }] of this.values) {
      count.textContent = number(this.byValue.get(value) ?? 0);
      only.ariaPressed = String(this.chosenValues("only").has(value));
      not.ariaPressed = String(this.chosenValues("not").has(value));
    }
  }
}

/** @param {Event} event */
const isOpening = (event) => event instanceof ToggleEvent && event.newState === "open";

/**
 * @param {string} id of a popover
 * @param {Listener} act called before it opens
 */
function onOpening(id, act) {
  $(id).addEventListener("beforetoggle", (event) => isOpening(event) && act());
}

/**
 * Put *popover* below its *opener*, within the window.
 * @param {HTMLElement} opener
 * @param {HTMLElement} popover
 */
function below(opener, popover) {
  const { left, bottom } = opener.getBoundingClientRect();
  const width = 340;
  popover.style.top = `${bottom + 4}px`;
  popover.style.left = `${Math.max(12, Math.min(left, innerWidth - width - 12))}px`;
}

/**
 * @param {string} words
 * @param {Listener} remove
 */
function removable(words, remove, exclude = false) {
  return make(
    "li",
    {},
    button(words, remove, {
      class: exclude ? "chip not" : "chip",
      title: "remove this filter",
      ariaLabel: `${words}: remove this filter`,
    }),
  );
}
