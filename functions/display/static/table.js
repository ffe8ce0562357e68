// The table: rows of one height, of which only those in view exist.

import { make } from "./dom.js";
import { bytes, dateAndTime, duration, severityInWords, shortType, SIGNS, timeOrDate } from "./format.js";
import { glyph, targetInWords } from "./kinds.js";

const SPARE_ROWS = 6;

/** The columns of the two views: class, heading, text, full text on hover, and the field that a click filters by. */
const COLUMNS = {
  events: [
    { name: "severity", title: "Severity" },
    {
      name: "time",
      title: "Date and time",
      text: (row, utc, narrow) => (narrow ? timeOrDate : dateAndTime)(row.at, utc, row.time),
      hover: (row) => row.time || "has no time: when it arrived",
    },
    { name: "message", title: "Description", text: (row) => row.message, hover: (row) => row.message },
    { name: "type", title: "Type", text: (row) => shortType(row.type), hover: (row) => row.type, field: "type" },
    {
      name: "target",
      title: "Target",
      text: (row) => row.target,
      hover: targetInWords,
      field: "target",
      sign: kindSign,
    },
    { name: "user", title: "User", text: (row) => row.user, hover: (row) => row.user, field: "user" },
  ],
  trigger: [
    { name: "severity", title: "Severity" },
    {
      name: "time",
      title: "Received",
      text: (row, utc) => dateAndTime(row.received, utc),
      hover: (row) => new Date(row.received).toISOString(),
    },
    {
      name: "lag",
      title: "Lag",
      text: (row) => duration(row.received - Date.parse(row.time)),
      hover: (row) => (row.time ? `event time ${row.time}` : "has no time"),
    },
    { name: "type", title: "Type", text: (row) => row.type, hover: (row) => row.type, field: "type" },
    { name: "source", title: "Source", text: (row) => row.source, hover: (row) => row.source, field: "source" },
    { name: "subject", title: "Subject", text: (row) => row.subject, hover: (row) => row.subject, field: "subject" },
    { name: "id", title: "Id", text: (row) => row.id, hover: (row) => row.id },
    { name: "contenttype", title: "Content type", text: (row) => row.contenttype, hover: (row) => row.contenttype },
    { name: "size", title: "Size", text: (row) => bytes(row.size), hover: (row) => `${row.size} bytes` },
    {
      name: "repeats",
      title: "Repeats",
      text: (row) => (row.repeats ? String(row.repeats) : ""),
      hover: (row) => arrivals(row),
    },
  ],
};

export class Table {
  /**
   * *scroller* holds the heading and the rows. *on.open(row)* is called when one is opened, *on.filter(field, value,
   * exclude)* when a value is clicked, *on.scroll()* when the view moved.
   */
  constructor(scroller, heading, rows, on) {
    Object.assign(this, { scroller, heading, rows, on });
    this.entries = []; // rows and dividers, oldest first: the last is on top
    this.made = new Map(); // entry → element
    this.selected = null;
    this.view = "";
    this.utc = false;
    this.isAtTop = true;
    this.wanted = null; // the entry that is to have the focus once it is made
    this.narrow = matchMedia("(max-width: 720px)");
    scroller.addEventListener(
      "scroll",
      () => {
        this.paint();
        on.scroll();
      },
      { passive: true },
    );
    new ResizeObserver(() => this.paint()).observe(scroller);
    this.narrow.addEventListener("change", () => {
      this.drop(new Set());
      this.show(this.entries);
    });
    rows.addEventListener("click", (click) => this.click(click));
    rows.addEventListener("keydown", (key) => this.key(key));
  }

  get rowHeight() {
    return this.narrow.matches ? 54 : 28;
  }

  /** Use the columns of *view*, "events" or "trigger", with times in UTC or not. */
  dress(view, utc) {
    if (view === this.view && utc === this.utc) return;
    Object.assign(this, { view, utc });
    this.rows.parentElement.dataset.view = view;
    this.heading.replaceChildren(
      ...COLUMNS[view].map(({ name, title }) =>
        make(
          "span",
          { class: name, role: "columnheader" },
          make("span", { class: name === "severity" ? "unseen" : "" }, title),
        ),
      ),
    );
    this.drop(new Set());
    this.paint();
  }

  /** Show *entries*, oldest first. */
  show(entries) {
    this.entries = entries;
    this.rows.style.height = `${entries.length * this.rowHeight}px`;
    this.rows.parentElement.setAttribute("aria-rowcount", entries.length + 1);
    this.paint();
  }

  /** Make the elements of *row* anew: it was repeated. */
  refresh(row) {
    this.made.get(row)?.remove();
    this.made.delete(row);
  }

  toTop() {
    this.scroller.scrollTop = 0;
    this.isAtTop = true;
  }

  at(index) {
    return this.entries[this.entries.length - 1 - index];
  }

  indexOf(entry) {
    const position = this.entries.lastIndexOf(entry);
    return position < 0 ? -1 : this.entries.length - 1 - position;
  }

  select(row) {
    const before = this.selected;
    this.selected = row;
    for (const each of [before, row]) {
      const element = each && this.made.get(each);
      if (element) element.ariaSelected = String(each === row);
    }
  }

  /** The row that has the focus, or had it when it was in view. */
  get wantedOrFocused() {
    return this.wanted ?? document.activeElement?.closest?.("#rows .row")?.entry ?? this.selected;
  }

  /** Move the focus by *steps* rows, from the focused or selected one, past dividers; from none, to the top. */
  move(steps) {
    let index = this.indexOf(this.wantedOrFocused);
    index = index < 0 ? 0 : index + steps;
    while (this.at(index)?.divider) index += Math.sign(steps);
    this.focus(Math.max(0, Math.min(index, this.entries.length - 1)));
  }

  focus(index) {
    const entry = this.at(index);
    if (!entry || entry.divider) return null;
    const top = index * this.rowHeight;
    const { scrollTop, clientHeight } = this.scroller;
    const room = clientHeight - this.heading.offsetHeight;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + room) this.scroller.scrollTop = top + this.rowHeight - room;
    this.wanted = entry;
    this.paint();
    return entry;
  }

  click(click) {
    const entry = click.target.closest(".row")?.entry;
    if (!entry || entry.divider) return;
    const value = click.target.closest("[data-field]");
    if (value) this.on.filter(value.dataset.field, entry[value.dataset.field], click.altKey || click.shiftKey);
    else this.open(entry);
  }

  open(row) {
    this.select(row);
    this.on.open(row);
  }

  key(key) {
    const entry = key.target.closest(".row")?.entry;
    if (!entry || key.ctrlKey || key.metaKey || key.altKey) return;
    const page = Math.floor(this.scroller.clientHeight / this.rowHeight) - 2;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[key.key];
    if (key.key === "Enter") this.open(entry);
    else if (steps === undefined) return;
    else if (Number.isFinite(steps)) this.move(steps);
    else this.focus(steps < 0 ? 0 : this.entries.length - 1);
    key.preventDefault();
  }

  paint() {
    const height = this.rowHeight;
    const { scrollTop, clientHeight } = this.scroller;
    const first = Math.max(0, Math.floor(scrollTop / height) - SPARE_ROWS);
    const last = Math.min(this.entries.length, Math.ceil((scrollTop + clientHeight) / height) + SPARE_ROWS);
    this.isAtTop = scrollTop < height / 2; // asked for later, it would make the browser lay out everything at once
    const inView = [];
    for (let index = first; index < last; index++) inView.push(this.at(index));
    this.drop(new Set(inView));

    let previous = null;
    inView.forEach((entry, offset) => {
      const index = first + offset;
      const element = this.made.get(entry) ?? this.row(entry);
      this.made.set(entry, element);
      const top = `${index * height}px`;
      if (element.style.top !== top) {
        element.style.top = top;
        element.ariaRowIndex = index + 2;
      }
      // In the order in which they are seen, for the keyboard and for screen readers.
      if (!element.parentNode || element.previousElementSibling !== previous) {
        if (previous) previous.after(element);
        else this.rows.prepend(element);
      }
      previous = element;
    });
    if (this.wanted && this.made.get(this.wanted)) {
      this.made.get(this.wanted).focus({ preventScroll: true });
      this.wanted = null;
    }
  }

  /** Remove the elements of all entries but *kept*. */
  drop(kept) {
    const focused = document.activeElement;
    for (const [entry, element] of this.made) {
      if (kept.has(entry)) continue;
      // The focus must not fall off the page because its row left the view.
      if (element === focused) this.scroller.focus({ preventScroll: true });
      element.remove();
      this.made.delete(entry);
    }
  }

  row(entry) {
    if (entry.divider) {
      const words = make("span", { role: "gridcell", "aria-colspan": COLUMNS[this.view].length }, entry.divider);
      const row = make("div", { class: "divider", role: "row" }, words);
      row.entry = entry;
      return row;
    }
    const row = make("div", { class: `row ${entry.severity}`, role: "row", tabIndex: -1 });
    row.entry = entry;
    row.dataset.seq = entry.seq;
    row.ariaSelected = String(entry === this.selected);
    row.append(...COLUMNS[this.view].map((column) => this.cell(column, entry)));
    return row;
  }

  cell(column, entry) {
    if (column.name === "severity") return severity(entry);
    const cell = make("span", { class: column.name, role: "gridcell", title: column.hover(entry) });
    const text = column.text(entry, this.utc, this.narrow.matches);
    if (column.name === "message" && entry.repeats) {
      cell.append(make("span", { class: "times", title: arrivals(entry) }, `×${entry.repeats + 1}`));
    }
    if (column.sign) cell.append(column.sign(entry));
    cell.append(column.field && text ? make("span", { class: "value", "data-field": column.field }, text) : text);
    if (column.field) cell.title += "\n(click: only these; with shift: none of these)";
    return cell;
  }
}

function kindSign(row) {
  const sign = glyph(row.kind);
  if (sign) sign.dataset.field = "kind";
  return sign;
}

function severity(row) {
  const cell = make("span", { class: "severity", role: "gridcell", title: severityInWords(row) });
  cell.append(
    make("span", { class: row.inferred ? "sign inferred" : "sign", ariaHidden: "true" }, SIGNS[row.severity]),
    make("span", { class: "unseen" }, severityInWords(row)),
  );
  return cell;
}

const arrivals = (row) => (row.repeats ? `arrived ${row.repeats + 1} times` : "arrived once");
