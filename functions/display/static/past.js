// Events that only the display's file still has: searched there when the reader comes to the end of the table.

import { api } from "./dom.js";

/** @import { Query } from "./query.js" */

const ROWS = 200;

/**
 * @typedef {{ rows: unknown[][], older: number }} Found rows, the newest first, and the number before which there may
 *   be others, or 0
 */

export class Past {
  /** @param {(lists: unknown[][]) => void} found called with rows, the oldest first */
  constructor(found) {
    this.found = found;
    this.isKept = false;
    this.before = 0;
    this.isReading = false;
    /** Counts the searches: a result of an earlier one is dropped. */
    this.search = 0;
  }

  /**
   * Search from now on before the event number *before*.
   * @param {number} before
   */
  start(before) {
    this.before = this.isKept ? before : 0;
    this.isReading = false;
    this.search++;
  }

  /**
   * Read the next rows that match *query*, unless there are no others.
   * @param {Query} query
   */
  async read(query) {
    if (!this.before || this.isReading) return;
    this.isReading = true;
    const { search } = this;
    const parameters = query.write();
    if (query.minutes) parameters.set("from", new Date(Date.now() - query.minutes * 60_000).toISOString());
    parameters.set("before", String(this.before));
    parameters.set("limit", String(ROWS));
    try {
      /** @type {Found} */
      const { rows, older } = await (await api(`api/search?${parameters}`)).json();
      if (search !== this.search) return;
      this.before = older;
      this.isReading = false;
      this.found(rows.reverse());
    } catch {
      if (search === this.search) this.before = 0; // the table ends with what is held
    }
  }
}
