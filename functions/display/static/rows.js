// The rows that the page holds: those that the server holds, in the order in which they changed.

import { SHARED } from "./columns.js";

export class Rows {
  constructor() {
    /**
     * In order of last change, as in the server's ring: the first leaves first.
     * @type {Map<number, Row>}
     */
    this.bySeq = new Map();
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
        this.bySeq.delete(known.seq);
        this.bySeq.set(known.seq, known);
        repeated.push(known);
        continue;
      }
      this.bySeq.set(row.seq, row);
      this.last = Math.max(this.last, row.seq);
      fresh.push(row);
    }
    return { fresh, repeated };
  }

  /**
   * Remove the oldest rows until at most *held* are left.
   * @param {number} held
   */
  keep(held) {
    for (const [seq, row] of this.bySeq) {
      if (this.bySeq.size <= held) break;
      row.gone = true;
      this.bySeq.delete(seq);
    }
  }

  /**
   * @param {unknown[]} list
   * @returns {Row}
   */
  row(list) {
    /** @type {Record<string, unknown>} */
    const values = { seq: 0, repeats: 0, at: 0, inferred: false, gone: false };
    this.names.forEach((name, index) => {
      values[name] = SHARED.has(name) ? this.shared(list[index]) : list[index];
    });
    const row = /** @type {Row} */ (values);
    row.inferred = row.severity.endsWith("?");
    if (row.inferred) row.severity = /** @type {Severity} */ (row.severity.slice(0, -1));
    // When it happened, or when it arrived if it has no time or one that cannot be read.
    const happened = Date.parse(row.time);
    row.at = Number.isNaN(happened) ? row.received : happened;
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
