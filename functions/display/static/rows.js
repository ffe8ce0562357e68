// The rows that the page holds: those that the server holds, in the order in which they changed.

import { SHARED } from "./columns.js";
import { timeIn } from "./format.js";

export class Rows {
  constructor() {
    /**
     * In order of last change, as in the server's ring: the first leaves first.
     * @type {Map<number, Row>}
     */
    this.bySeq = new Map();
    /**
     * The errors and warnings among them, and their consequences.
     * @type {Map<number, Row>}
     */
    this.important = new Map();
    /** @type {string[]} */
    this.names = [];
    /**
     * One copy of each text that thousands of rows share.
     * @type {Map<unknown, unknown>}
     */
    this.texts = new Map();
    /** The highest number so far. */
    this.last = 0;
  }

  get size() {
    return this.bySeq.size;
  }

  values() {
    return this.bySeq.values();
  }

  /** @param {number} seq */
  get(seq) {
    return this.bySeq.get(seq);
  }

  clear() {
    for (const row of this.bySeq.values()) row.gone = true;
    this.bySeq.clear();
    this.important.clear();
    this.texts.clear();
  }

  /**
   * Add rows, given as lists in the order of `names`. Return the new ones, oldest first, and those that came again.
   * @param {unknown[][]} lists
   */
  add(lists) {
    const fresh = [];
    const repeated = [];
    for (const list of lists) {
      const row = this.row(list);
      const known = this.bySeq.get(row.seq);
      if (known) {
        known.repeats = row.repeats;
        this.put(known);
        repeated.push(known);
        continue;
      }
      this.put(row);
      this.last = Math.max(this.last, row.seq);
      fresh.push(row);
    }
    return { fresh, repeated };
  }

  /**
   * Add rows that changed before all others. Return the new ones, oldest first.
   * @param {unknown[][]} lists
   */
  addOlder(lists) {
    const fresh = lists.map((list) => this.row(list)).filter(({ seq }) => !this.bySeq.has(seq));
    const others = [...this.bySeq.values()];
    this.bySeq.clear();
    this.important.clear();
    for (const row of fresh) this.put(row);
    for (const row of others) this.put(row);
    return fresh;
  }

  /**
   * Put *row* last.
   * @param {Row} row
   */
  put(row) {
    for (const rows of row.important ? [this.bySeq, this.important] : [this.bySeq]) {
      rows.delete(row.seq);
      rows.set(row.seq, row);
    }
  }

  /**
   * Remove the oldest rows as the server did: *held* are left, and *important* errors and warnings among them.
   * @param {number} held
   * @param {number} important
   */
  keep(held, important) {
    for (const row of this.important.values()) {
      if (this.important.size <= important) break;
      this.remove(row);
    }
    for (const row of this.bySeq.values()) {
      if (this.bySeq.size <= held) break;
      if (!row.important) this.remove(row);
    }
  }

  /** @param {Row} row */
  remove(row) {
    row.gone = true;
    this.bySeq.delete(row.seq);
    this.important.delete(row.seq);
  }

  /**
   * @param {unknown[]} list
   * @returns {Row}
   */
  row(list) {
    /** @type {Record<string, unknown>} */
    const values = { seq: 0, repeats: 0, at: 0, isDated: false, inferred: false, gone: false };
    this.names.forEach((name, index) => {
      values[name] = SHARED.has(name) ? this.shared(list[index]) : list[index];
    });
    const row = /** @type {Row} */ (values);
    row.inferred = row.severity.endsWith("?");
    if (row.inferred) row.severity = /** @type {Severity} */ (row.severity.slice(0, -1));
    // When it happened, or when it arrived if it has no time or one that cannot be read.
    const happened = timeIn(row.time);
    row.isDated = !Number.isNaN(happened);
    row.at = row.isDated ? happened : row.received;
    return row;
  }

  /** @param {unknown} text */
  shared(text) {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    if (this.texts.size > 20_000) this.texts.clear();
    this.texts.set(text, text);
    return text;
  }
}
