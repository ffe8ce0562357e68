// The table: rows of one height, of which only those in view exist.

const SPARE_ROWS = 8;

export class Table {
  /** *rows* is the element that holds them; *onOpen(event)* is called when one is opened. */
  constructor(rows, onOpen) {
    this.rows = rows;
    this.onOpen = onOpen;
    this.events = [];
    this.made = new Map(); // seq → element
    this.selected = null;
    this.painting = false;
    addEventListener("scroll", () => this.paintSoon(), { passive: true });
    addEventListener("resize", () => this.paintSoon());
    rows.addEventListener("click", (click) => this.open(click.target.closest(".row")));
    rows.addEventListener("keydown", (key) => this.onKey(key));
  }

  /** Show *events*, a Map by seq; the highest seq is on top. */
  show(events) {
    const before = this.events;
    this.events = [...events.values()].sort((one, other) => other.seq - one.seq);
    this.rows.style.height = `${this.events.length * this.height()}px`;
    this.holdStill(before);
    this.paint();
  }

  /** While someone reads further down, what arrives on top does not push the rows away. */
  holdStill(before) {
    const first = this.firstInView();
    if (first <= 0 || !before.length || !this.events.length) return;
    const arrived = this.events.findIndex((event) => event.seq <= before[0].seq);
    if (arrived > 0) scrollBy(0, arrived * this.height());
  }

  select(seq) {
    const left = this.made.get(this.selected);
    if (left) left.ariaSelected = "false";
    if (seq === null) left?.focus({ preventScroll: true });
    this.selected = seq;
    const chosen = this.made.get(seq);
    if (chosen) chosen.ariaSelected = "true";
  }

  open(row) {
    if (!row) return;
    const seq = Number(row.dataset.seq);
    this.select(seq);
    this.onOpen(this.events.find((event) => event.seq === seq));
  }

  onKey(key) {
    const row = key.target.closest(".row");
    if (!row) return;
    if (key.key === "Enter" || key.key === " ") this.open(row);
    else if (key.key === "ArrowDown") row.nextElementSibling?.focus();
    else if (key.key === "ArrowUp") row.previousElementSibling?.focus();
    else return;
    key.preventDefault();
  }

  height() {
    return parseFloat(getComputedStyle(this.rows).getPropertyValue("--row-height"));
  }

  firstInView() {
    return Math.floor(-this.rows.getBoundingClientRect().top / this.height());
  }

  paintSoon() {
    if (this.painting) return;
    this.painting = true;
    requestAnimationFrame(() => {
      this.painting = false;
      this.paint();
    });
  }

  paint() {
    const height = this.height();
    const first = Math.max(0, this.firstInView() - SPARE_ROWS);
    const last = Math.min(this.events.length, first + Math.ceil(innerHeight / height) + 2 * SPARE_ROWS);
    const kept = new Map();
    let previous = null;
    for (let index = first; index < last; index++) {
      const event = this.events[index];
      let row = this.made.get(event.seq);
      if (!row || row.event !== event) {
        const made = this.row(event);
        row?.replaceWith(made);
        row = made;
      }
      row.style.top = `${index * height}px`;
      row.ariaRowIndex = index + 2;
      // In the order in which they are seen, for the keyboard and for screen readers.
      if (row.previousElementSibling !== previous || !row.parentNode) {
        if (previous) previous.after(row);
        else this.rows.prepend(row);
      }
      kept.set(event.seq, row);
      previous = row;
    }
    for (const [seq, row] of this.made) if (!kept.has(seq)) row.remove();
    this.made = kept;
  }

  row(event) {
    const row = document.createElement("div");
    row.className = "row";
    row.setAttribute("role", "row");
    row.tabIndex = 0;
    row.event = event;
    row.dataset.seq = event.seq;
    row.ariaSelected = event.seq === this.selected ? "true" : "false";
    const time = cell("time", clock(event.time), event.time);
    const type = cell("type", shortType(event.type), event.type);
    const message = cell("message", event.message, event.message);
    if (event.repeats) {
      const repeats = document.createElement("span");
      repeats.className = "repeats";
      repeats.textContent = `×${event.repeats + 1}`;
      repeats.title = `arrived ${event.repeats + 1} times`;
      message.prepend(repeats);
    }
    row.append(time, type, cell("subject", event.subject, event.subject), message);
    return row;
  }
}

function cell(name, text, title) {
  const made = document.createElement("span");
  made.className = name;
  made.setAttribute("role", "cell");
  made.textContent = text; // a text node, whatever it holds
  made.title = title;
  return made;
}

/** "VmPoweredOffEvent" of "com.vmware.vsphere.VmPoweredOffEvent.v0"; other types are shown whole. */
export function shortType(type) {
  return type.replace(/^com\.vmware\.vsphere\./, "").replace(/\.v\d+$/, "");
}

const today = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const earlier = new Intl.DateTimeFormat([], {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});

/** The local time of day, with the date if it is not today's; a time that cannot be read is shown as it came. */
function clock(time) {
  const moment = new Date(time);
  if (Number.isNaN(moment.getTime())) return time;
  return (moment.toDateString() === new Date().toDateString() ? today : earlier).format(moment);
}
