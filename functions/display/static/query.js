// The filters of the view, read from the address and written to it, so that a view is a link.

import { FIELDS, FILTERS, SEARCHED } from "./columns.js";
import { SEVERITIES } from "./format.js";

/** @typedef {(row: Row) => boolean} Test */

export class Query {
  constructor() {
    this.text = "";
    /** @type {Set<Severity>} */
    this.severities = new Set();
    /** @type {Map<string, Set<string>>} */
    this.only = new Map();
    /** @type {Map<string, Set<string>>} */
    this.not = new Map();
    /** @type {number | null} */
    this.from = null;
    /** @type {number | null} */
    this.to = null;
    /** @type {number | null} */
    this.minutes = null;
    /** @type {ViewName} */
    this.view = "events";
    this.utc = false;
    /** Are the steps of operations, reactions and storms shown, too? */
    this.steps = false;
    /** The column whose values are listed with their counts. It is not a part of the address. */
    this.facet = "type";
    /** The open event: its source and id, with a space in between. */
    this.event = "";
    this.read(new URLSearchParams());
  }

  /**
   * Read the filters from an address: ?type=A&type=B is A or B, ?not-user=C is everybody but C.
   * @param {URLSearchParams} parameters
   */
  read(parameters) {
    const severities = (parameters.get("severity") ?? "").split(",");
    this.text = parameters.get("q") ?? "";
    this.severities = new Set(SEVERITIES.filter((name) => severities.includes(name)));
    this.only = new Map(FILTERS.map((name) => [name, new Set(parameters.getAll(name))]));
    this.not = new Map(FILTERS.map((name) => [name, new Set(parameters.getAll(`not-${name}`))]));
    this.from = Date.parse(parameters.get("from") ?? "") || null;
    this.to = Date.parse(parameters.get("to") ?? "") || null;
    this.minutes = Number(parameters.get("minutes")) || null;
    this.view = parameters.get("view") === "trigger" ? "trigger" : "events";
    this.utc = parameters.get("utc") === "1";
    this.steps = parameters.get("steps") === "1";
    this.event = parameters.get("event") ?? "";
  }

  /** The patterns of the words that are searched for, to mark what they find. */
  get patterns() {
    return clauses(this.text)
      .flat()
      .filter((word) => !word.exclude)
      .map(({ pattern }) => pattern);
  }

  write() {
    const parameters = new URLSearchParams();
    if (this.text) parameters.set("q", this.text);
    if (this.severities.size) parameters.set("severity", [...this.severities].join());
    for (const [name, values] of this.only) for (const value of values) parameters.append(name, value);
    for (const [name, values] of this.not) for (const value of values) parameters.append(`not-${name}`, value);
    if (this.from) parameters.set("from", new Date(this.from).toISOString());
    if (this.to) parameters.set("to", new Date(this.to).toISOString());
    if (this.minutes) parameters.set("minutes", String(this.minutes));
    if (this.view === "trigger") parameters.set("view", "trigger");
    if (this.utc) parameters.set("utc", "1");
    if (this.steps) parameters.set("steps", "1");
    if (this.event) parameters.set("event", this.event);
    return parameters;
  }

  /** Remove all filters. View, time zone, steps and the open event stay. */
  clear() {
    const { view, utc, steps, event } = this;
    this.read(new URLSearchParams());
    Object.assign(this, { view, utc, steps, event });
  }

  get isEmpty() {
    const sets = [...this.only.values(), ...this.not.values(), this.severities];
    return !this.text.trim() && !this.from && !this.to && !this.minutes && sets.every((set) => !set.size);
  }

  /**
   * Show only *value* of the column *name*, or with *exclude* none of it. The second time, undo that.
   * @param {string} name
   * @param {string} value
   */
  toggle(name, value, exclude = false) {
    const [chosen, other] = exclude ? [this.not, this.only] : [this.only, this.not];
    other.get(name)?.delete(value);
    if (!chosen.get(name)?.delete(value)) chosen.get(name)?.add(value);
  }

  /**
   * Functions that test a row: by values and words, by facet, by time, by severity, and by `all` of these.
   * @returns {Record<"values" | "facet" | "time" | "severity" | "all", Test>}
   */
  tests() {
    /** @type {Test[]} */
    const values = [];
    /** @type {Test[]} */
    const facet = [];
    for (const [filters, exclude] of /** @type {const} */ ([
      [this.only, false],
      [this.not, true],
    ])) {
      for (const [name, chosen] of filters) {
        const tests = name === this.facet ? facet : values;
        if (chosen.size) tests.push((row) => chosen.has(String(row[name])) !== exclude);
      }
    }
    for (const clause of clauses(this.text)) values.push((row) => clause.some((word) => holds(word, row)));
    const from = this.minutes ? Date.now() - this.minutes * 60_000 : (this.from ?? -Infinity);
    const to = this.to ?? Infinity;
    /** @type {Record<"values" | "facet" | "time" | "severity", Test>} */
    const tests = {
      values: (row) => values.every((test) => test(row)),
      facet: (row) => facet.every((test) => test(row)),
      time: (row) => row.at >= from && row.at < to,
      severity: (row) => !this.severities.size || this.severities.has(row.severity),
    };
    return { ...tests, all: (row) => tests.values(row) && tests.facet(row) && tests.time(row) && tests.severity(row) };
  }
}

/**
 * A word of the text: `text`, `field:value`, or the same with a minus. "*" stands for any characters.
 * @typedef {{ exclude: boolean, field: string, pattern: RegExp }} Word
 */

/**
 * The clauses of a text: all must hold. A clause is a list of words of which one must hold: `a OR b`.
 * @param {string} text
 * @returns {Word[][]}
 */
function clauses(text) {
  /** @type {Word[][]} */
  const result = [];
  let isAlternative = false;
  for (const [all, minus, name, phrase, word] of text.matchAll(/(-?)(?:([a-z]+):)?(?:"([^"]+)"|(\S+))/g)) {
    if (all === "OR" && result.length) isAlternative = true;
    if (all === "OR" || all === "-" || all === '"') continue;
    const isField = name !== undefined && FIELDS.has(name);
    const value = isField || name === undefined ? (phrase ?? word) : `${name}:${phrase ?? word}`;
    const pattern = new RegExp(value.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"), "i");
    const clause = { exclude: minus === "-", field: isField ? name : "", pattern };
    if (isAlternative) result[result.length - 1].push(clause);
    else result.push([clause]);
    isAlternative = false;
  }
  return result;
}

/**
 * @param {Word} word
 * @param {Row} row
 */
function holds({ exclude, field, pattern }, row) {
  const names = field ? [field] : SEARCHED;
  return names.some((name) => pattern.test(String(row[name]))) !== exclude;
}
