// What is looked for: read from the address and written to it, so that a view is a link.

import { SEVERITIES } from "./format.js";

/** Filters by value: ?type=A&type=B is A or B, ?not-user=C is everybody but C. */
export const FIELDS = ["type", "target", "kind", "user", "source", "subject", "chain", "id"];

const TEXT_FIELDS = ["message", "type", "target", "kind", "user", "source", "subject", "id"];

export class Query {
  constructor() {
    this.read(new URLSearchParams());
  }

  read(parameters) {
    this.text = parameters.get("q") ?? "";
    const severities = (parameters.get("severity") ?? "").split(",").filter((name) => SEVERITIES.includes(name));
    this.severities = new Set(severities);
    this.only = new Map(FIELDS.map((field) => [field, new Set(parameters.getAll(field))]));
    this.not = new Map(FIELDS.map((field) => [field, new Set(parameters.getAll(`not-${field}`))]));
    this.from = Date.parse(parameters.get("from")) || null;
    this.to = Date.parse(parameters.get("to")) || null;
    this.minutes = Number(parameters.get("minutes")) || null;
    this.view = parameters.get("view") === "trigger" ? "trigger" : "events";
    this.utc = parameters.get("utc") === "1";
  }

  write() {
    const parameters = new URLSearchParams();
    if (this.text) parameters.set("q", this.text);
    if (this.severities.size) parameters.set("severity", [...this.severities].join());
    for (const [field, values] of this.only) for (const value of values) parameters.append(field, value);
    for (const [field, values] of this.not) for (const value of values) parameters.append(`not-${field}`, value);
    if (this.from) parameters.set("from", new Date(this.from).toISOString());
    if (this.to) parameters.set("to", new Date(this.to).toISOString());
    if (this.minutes) parameters.set("minutes", this.minutes);
    if (this.view === "trigger") parameters.set("view", "trigger");
    if (this.utc) parameters.set("utc", "1");
    return parameters;
  }

  /** Forget all filters; view and time zone stay. */
  clear() {
    const { view, utc } = this;
    this.read(new URLSearchParams());
    Object.assign(this, { view, utc });
  }

  get isEmpty() {
    const sets = [...this.only.values(), ...this.not.values(), this.severities];
    return !this.text.trim() && !this.from && !this.to && !this.minutes && sets.every((set) => !set.size);
  }

  /** Show only *value* of *field*, or none of it; asked again, no longer. */
  toggle(field, value, exclude = false) {
    const [chosen, other] = exclude
      ? [this.not.get(field), this.only.get(field)]
      : [this.only.get(field), this.not.get(field)];
    other.delete(value);
    if (!chosen.delete(value)) chosen.add(value);
  }

  /** Functions that say of a row whether it is looked for: by values and words, type, time, severity, and by `all`. */
  tests() {
    const [values, types] = [[], []];
    for (const [field, chosen] of this.only)
      if (chosen.size) (field === "type" ? types : values).push((row) => chosen.has(row[field]));
    for (const [field, chosen] of this.not)
      if (chosen.size) (field === "type" ? types : values).push((row) => !chosen.has(row[field]));
    for (const { pattern, exclude } of words(this.text)) {
      values.push((row) => TEXT_FIELDS.some((field) => pattern.test(row[field])) !== exclude);
    }
    const from = this.minutes ? Date.now() - this.minutes * 60_000 : (this.from ?? -Infinity);
    const to = this.to ?? Infinity;
    const tests = {
      values: (row) => values.every((test) => test(row)),
      type: (row) => types.every((test) => test(row)),
      time: (row) => row.at >= from && row.at < to,
      severity: (row) => !this.severities.size || this.severities.has(row.severity),
    };
    return { ...tests, all: (row) => tests.values(row) && tests.type(row) && tests.time(row) && tests.severity(row) };
  }
}

/** The words of a text: all must occur, -those must not, "several words" stand together. */
function words(text) {
  return [...text.matchAll(/(-?)(?:"([^"]+)"|(\S+))/g)]
    .map(([, minus, phrase, word]) => ({ exclude: minus === "-", words: phrase ?? word }))
    .filter((each) => each.words !== "-" && each.words !== '"')
    .map((each) => ({
      exclude: each.exclude,
      pattern: new RegExp(each.words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i"),
    }));
}
