// One event in full, beside the table (over it on a phone).

import { shortType } from "./table.js";

export class Detail {
  /** *panel* is the element; *onClose()* is called when it was closed. */
  constructor(panel, onClose) {
    this.panel = panel;
    this.onClose = onClose;
    this.seq = null;
    this.part("close").addEventListener("click", () => this.close());
    addEventListener("keydown", (key) => key.key === "Escape" && !panel.hidden && this.close());
  }

  part(id) {
    return this.panel.querySelector(`#${id}`);
  }

  /** Show the event of a row: what the row knows at once, the rest when it was fetched. */
  async open(event) {
    this.seq = event.seq;
    this.part("detail-title").textContent = shortType(event.type);
    this.part("detail-message").textContent = event.message;
    this.part("attributes").replaceChildren();
    this.part("payload").textContent = "";
    this.panel.hidden = false;
    document.body.classList.add("detail-open");
    this.panel.focus({ preventScroll: true });
    this.panel.scrollTop = 0;
    try {
      const answer = await fetch(`api/events/${event.seq}`);
      if (!answer.ok) throw new Error((await answer.text()).trim());
      const whole = await answer.json();
      if (this.seq === event.seq) this.fill(whole);
    } catch (error) {
      if (this.seq === event.seq) this.part("payload").textContent = `Not shown: ${error.message}`;
    }
  }

  fill({ attributes, payload, repeats }) {
    const lines = Object.entries(attributes).filter(([, value]) => value !== null);
    if (repeats) lines.push(["arrived", `${repeats + 1} times`]);
    this.part("attributes").replaceChildren(
      ...lines.flatMap(([name, value]) => [element("dt", name), element("dd", String(value))]),
    );
    this.part("payload").textContent = payload || "none";
  }

  close() {
    this.seq = null;
    this.panel.hidden = true;
    document.body.classList.remove("detail-open");
    this.onClose();
  }
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
