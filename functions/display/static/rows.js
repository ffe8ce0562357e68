// The rows that the page holds: what the server holds, in the order in which it changed.

const SHARED = new Set(["severity", "type", "source", "subject", "contenttype", "target", "user", "kind"]);

export class Rows {
  constructor() {
    this.bySeq = new Map(); // in order of last change, as the server's ring: the first leaves first
    this.columns = [];
    this.texts = new Map(); // thousands of rows share some texts: one copy of each
    this.last = 0; // the highest number so far
  }

  get size() {
    return this.bySeq.size;
  }

  values() {
    return this.bySeq.values();
  }

  get(seq) {
    return this.bySeq.get(seq);
  }

  clear() {
    for (const row of this.bySeq.values()) row.gone = true;
    this.bySeq.clear();
    this.texts.clear();
  }

  /** Take in rows as lists of the server's columns; the rows that are new, oldest first. */
  take(lists) {
    const fresh = [];
    for (const list of lists) {
      const known = this.bySeq.get(list[0]);
      if (known) {
        known.repeats = list[1];
        this.bySeq.delete(known.seq);
        this.bySeq.set(known.seq, known);
        continue;
      }
      const row = this.row(list);
      this.bySeq.set(row.seq, row);
      this.last = Math.max(this.last, row.seq);
      fresh.push(row);
    }
    return fresh;
  }

  /** Let go of the oldest, so that *held* stay; whether any went. */
  keep(held) {
    if (this.bySeq.size <= held) return false;
    for (const [seq, row] of this.bySeq) {
      if (this.bySeq.size <= held) break;
      row.gone = true;
      this.bySeq.delete(seq);
    }
    return true;
  }

  row(list) {
    const row = { seq: 0, repeats: 0, at: 0, inferred: false, gone: false };
    this.columns.forEach((name, index) => {
      row[name] = SHARED.has(name) ? this.shared(list[index]) : list[index];
    });
    row.inferred = row.severity.endsWith("?");
    if (row.inferred) row.severity = row.severity.slice(0, -1);
    // When it happened; when it arrived, if it does not say or says what is no time.
    const happened = Date.parse(row.time);
    row.at = Number.isNaN(happened) ? row.received : happened;
    return row;
  }

  shared(text) {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    if (this.texts.size > 20_000) this.texts.clear();
    this.texts.set(text, text);
    return text;
  }
}
