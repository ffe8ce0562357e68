// What was refused at the door: why an event did not arrive.

import { $, api, make, openable, pairs, soon } from "./dom.js";
import { bytes, dateAndTime, number } from "./format.js";

export class Refused {
  constructor() {
    this.count = 0;
    this.shown = -1;
    this.items = new Map(); // number → element: one that is open stays open
    this.load = soon(() => this.fetch(), 250);
  }

  /** There were *count* refusals so far. */
  counted(count, utc) {
    this.count = count;
    this.utc = utc;
    $("refused-count").textContent = count ? number(count) : "";
    if (!$("refused").hidden && this.shown !== count) this.load();
  }

  async fetch() {
    const upTo = this.count;
    try {
      const requests = await (await api("api/refused")).json();
      this.shown = upTo;
      this.items = new Map(requests.map((each) => [each.number, this.items.get(each.number) ?? this.request(each)]));
      $("refused-list").replaceChildren(...this.items.values());
      $("refused-none").hidden = requests.length > 0;
    } catch (error) {
      $("refused-none").hidden = false;
      $("refused-none").textContent = `Not listed: ${error.message}`;
    }
  }

  request(refused) {
    const cells = [
      make("span", { class: "time" }, dateAndTime(refused.received, this.utc)),
      make("span", { class: "reason" }, refused.reason),
    ];
    return make(
      "li",
      {},
      openable(cells, () => inside(refused)),
    );
  }
}

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
