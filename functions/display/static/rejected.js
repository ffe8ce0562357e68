// The rejected requests: why an event did not arrive.

import { $, api, make, messageOf, openable, pairs, soon } from "./dom.js";
import { bytes, dateAndTime, number } from "./format.js";

export class Rejected {
  constructor() {
    this.count = 0;
    this.shown = -1;
    this.utc = false;
    /**
     * Elements by number: one that is open stays open.
     * @type {Map<number, HTMLElement>}
     */
    this.items = new Map();
    this.load = soon(() => this.fetch(), 250);
  }

  /**
   * Show that *count* requests were rejected so far.
   * @param {number} count
   * @param {boolean} utc
   */
  counted(count, utc) {
    this.count = count;
    this.utc = utc;
    $("rejected-count").textContent = count ? number(count) : "";
    if (!$("rejected").hidden && this.shown !== count) this.load();
  }

  async fetch() {
    const upTo = this.count;
    try {
      /** @type {RejectedRequest[]} */
      const requests = await (await api("api/rejected")).json();
      this.shown = upTo;
      this.items = new Map(
        requests.map((request) => [request.number, this.items.get(request.number) ?? this.item(request)]),
      );
      $("rejected-list").replaceChildren(...this.items.values());
      $("rejected-none").hidden = requests.length > 0;
    } catch (error) {
      $("rejected-none").hidden = false;
      $("rejected-none").textContent = `Not listed: ${messageOf(error)}`;
    }
  }

  /** @param {RejectedRequest} request */
  item(request) {
    const cells = [
      make("span", { class: "time" }, dateAndTime(request.received, this.utc)),
      make("span", { class: "reason" }, request.reason),
    ];
    return make(
      "li",
      {},
      openable(cells, () => inside(request)),
    );
  }
}

/** @param {RejectedRequest} request */
function inside({ headers, size, text, base64 }) {
  return make(
    "div",
    {},
    make("h3", {}, "Headers"),
    make("dl", { class: "attributes" }, ...pairs(Object.entries(headers))),
    make("h3", {}, size > 1024 ? `Body, the first KB of ${bytes(size)}` : `Body, ${bytes(size)}`),
    make("pre", { tabIndex: 0 }, (text ?? `base64: ${base64}`) || "empty"),
  );
}
