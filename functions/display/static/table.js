// The table: rows of one height, of which only those in view exist.

import { cellOf } from "./cells.js";
import { columnsOf } from "./columns.js";
import { make } from "./dom.js";

const SPARE_ROWS = 6;

// The view holds while the pointer is over it, but not for a pointer that somebody left there.
const LEFT_AFTER_MS = 120_000;
const TOUCH_MS = 700; // from the touch of a row until it is opened

/**
 * @typedef {object} TableListeners
 * @property {(row: Row) => void} open called when a row is opened
 * @property {(name: string, value: string, exclude: boolean) => void} filter called when a value is clicked
 * @property {Listener} scroll called when the view moved
 */

export class Table {
  /**
   * @param {HTMLElement} scroller holds the heading and the rows
   * @param {HTMLElement} heading
   * @param {HTMLElement} rows
   * @param {TableListeners} on
   */
  constructor(scroller, heading, rows, on) {
    this.scroller = scroller;
    this.heading = heading;
    this.rows = rows;
    this.on = on;
    /**
     * Oldest first: the last is on top.
     * @type {Entry[]}
     */
    this.entries = [];
    /** @type {Map<Entry, EntryElement>} */
    this.elements = new Map();
    /** @type {Row | null} */
    this.selected = null;
    /** @type {ViewName | ""} */
    this.view = "";
    this.utc = false;
    this.isAtTop = true;
    /**
     * The row that gets the focus once its element exists.
     * @type {Row | null}
     */
    this.focusNext = null;
    /** When the pointer last moved over the table, or 0 if it is elsewhere. */
    this.pointedAt = 0;
    this.isPressed = false;
    /**
     * Rows to recreate once the pointer is up.
     * @type {Set<Row>}
     */
    this.stale = new Set();
    this.followPointer();
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
      this.dropAll();
      this.show(this.entries);
    });
    rows.addEventListener("click", (click) => this.click(click));
    rows.addEventListener("keydown", (key) => this.key(key));
  }

  /** Hold still while somebody aims at a row, or presses one. */
  followPointer() {
    const { scroller } = this;
    const point = () => (this.pointedAt = Date.now());
    /** @param {PointerEvent} event */
    const leave = ({ pointerType }) => {
      if (pointerType !== "touch") this.pointedAt = 0;
      this.on.scroll();
    };
    scroller.addEventListener("pointermove", (event) => event.pointerType !== "touch" && point());
    scroller.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && point());
    scroller.addEventListener("pointerleave", leave);
    scroller.addEventListener("pointerdown", () => {
      this.isPressed = true;
      point();
    });
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
      addEventListener(name, ({ pointerType }) => {
        if (!this.isPressed) return;
        this.isPressed = false;
        if (pointerType === "touch") this.pointedAt = Date.now() - LEFT_AFTER_MS + TOUCH_MS;
        setTimeout(() => this.release(), TOUCH_MS);
      });
    }
  }

  /** Is somebody about to press a row? */
  get isHeld() {
    return this.isPressed || Date.now() - this.pointedAt < LEFT_AFTER_MS;
  }

  release() {
    for (const row of this.stale) this.refresh(row);
    this.stale.clear();
    this.paint();
    this.on.scroll();
  }

  get rowHeight() {
    return this.narrow.matches ? 54 : document.body.classList.contains("wall") ? 40 : 28;
  }

  /** The element that holds the rows and their heading. */
  get grid() {
    return /** @type {HTMLElement} */ (this.rows.parentElement);
  }

  get columns() {
    return columnsOf(this.view || "events");
  }

  /**
   * Use the columns of *view*, with times in UTC or not.
   * @param {ViewName} view
   * @param {boolean} utc
   */
  dress(view, utc) {
    if (view === this.view && utc === this.utc) return;
    Object.assign(this, { view, utc });
    this.grid.dataset.view = view;
    this.heading.replaceChildren(
      ...this.columns.map(({ column, cell }) => {
        const title = make("span", { class: column.name === "severity" ? "unseen" : "" }, cell.title);
        return make("span", { class: `${column.name} ${cell.style}`, role: "columnheader" }, title);
      }),
    );
    this.dropAll();
    this.paint();
  }

  /**
   * Show *entries*, oldest first.
   * @param {Entry[]} entries
   */
  show(entries) {
    this.entries = entries;
    this.rows.style.height = `${entries.length * this.rowHeight}px`;
    this.grid.setAttribute("aria-rowcount", String(entries.length + 1));
    this.paint();
  }

  /**
   * Recreate the element of *row*, because the event came again.
   * @param {Row} row
   */
  refresh(row) {
    if (this.isPressed) {
      this.stale.add(row);
      return;
    }
    this.elements.get(row)?.remove();
    this.elements.delete(row);
  }

  /** Are the last entries in view, or nearly? */
  get isAtEnd() {
    const { scrollTop, clientHeight } = this.scroller;
    return scrollTop + clientHeight >= (this.entries.length - 2 * SPARE_ROWS) * this.rowHeight;
  }

  toTop() {
    this.scroller.scrollTop = 0;
    this.isAtTop = true;
  }

  /** @param {number} index */
  at(index) {
    return this.entries[this.entries.length - 1 - index];
  }

  /** @param {Entry | null} entry */
  indexOf(entry) {
    const position = entry ? this.entries.lastIndexOf(entry) : -1;
    return position < 0 ? -1 : this.entries.length - 1 - position;
  }

  /** @param {Row | null} row */
  select(row) {
    const before = this.selected;
    this.selected = row;
    for (const entry of [before, row]) {
      const element = entry && this.elements.get(entry);
      if (element) element.ariaSelected = String(entry === row);
    }
  }

  /** The row that has the focus, or is about to get it, or is selected. */
  get current() {
    return this.focusNext ?? rowAt(document.activeElement) ?? this.selected;
  }

  /**
   * Move the focus by *steps* rows, from the current one, past dividers. If there is none, move it to the top.
   * @param {number} steps
   */
  move(steps) {
    let index = this.indexOf(this.current);
    index = index < 0 ? 0 : index + steps;
    while (this.at(index)?.divider) index += Math.sign(steps);
    this.focus(Math.max(0, Math.min(index, this.entries.length - 1)));
  }

  /** @param {number} index */
  focus(index) {
    const entry = this.at(index);
    if (!entry || isDivider(entry)) return;
    const top = index * this.rowHeight;
    const { scrollTop, clientHeight } = this.scroller;
    const room = clientHeight - this.heading.offsetHeight;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + room) this.scroller.scrollTop = top + this.rowHeight - room;
    this.focusNext = entry;
    this.paint();
  }

  /** @param {MouseEvent} click */
  click(click) {
    const row = rowAt(click.target);
    if (!row) return;
    const name = /** @type {Element} */ (click.target).closest("[data-field]")?.getAttribute("data-field");
    if (name) this.on.filter(name, String(row[name]), click.altKey || click.shiftKey);
    else this.open(row);
  }

  /** @param {Row} row */
  open(row) {
    this.select(row);
    this.on.open(row);
  }

  /** @param {KeyboardEvent} key */
  key(key) {
    const row = rowAt(key.target);
    if (!row || key.ctrlKey || key.metaKey || key.altKey) return;
    const page = Math.floor(this.scroller.clientHeight / this.rowHeight) - 2;
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const steps = moves[key.key];
    if (key.key === "Enter") this.open(row);
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
    this.isAtTop = scrollTop < height / 2; // read later, it would make the browser lay out everything at once
    const inView = [];
    for (let index = first; index < last; index++) inView.push(this.at(index));
    this.drop(new Set(inView));

    /** @type {EntryElement | null} */
    let previous = null;
    inView.forEach((entry, offset) => {
      const element = this.elements.get(entry) ?? this.elementOf(entry);
      this.elements.set(entry, element);
      this.place(element, first + offset, previous);
      previous = element;
    });
    const focused = this.focusNext && this.elements.get(this.focusNext);
    if (focused) {
      focused.focus({ preventScroll: true });
      this.focusNext = null;
    }
  }

  /**
   * @param {EntryElement} element
   * @param {number} index
   * @param {EntryElement | null} previous
   */
  place(element, index, previous) {
    // A transform moves it without a layout, which `top` would cause.
    const place = `translateY(${index * this.rowHeight}px)`;
    if (element.style.transform !== place) {
      element.style.transform = place;
      element.setAttribute("aria-rowindex", String(index + 2));
    }
    // In the order in which they are seen, for the keyboard and for screen readers.
    if (!element.parentNode || element.previousElementSibling !== previous) {
      if (previous) previous.after(element);
      else this.rows.prepend(element);
    }
  }

  dropAll() {
    this.drop(new Set());
  }

  /**
   * Remove the elements of all entries but *kept*.
   * @param {Set<Entry>} kept
   */
  drop(kept) {
    const focused = document.activeElement;
    for (const [entry, element] of this.elements) {
      if (kept.has(entry)) continue;
      // The focus must not fall off the page because its row left the view.
      if (element === focused) this.scroller.focus({ preventScroll: true });
      element.remove();
      this.elements.delete(entry);
    }
  }

  /**
   * @param {Entry} entry
   * @returns {EntryElement}
   */
  elementOf(entry) {
    if (isDivider(entry)) {
      const words = make("span", { role: "gridcell", "aria-colspan": this.columns.length }, entry.divider);
      return Object.assign(make("div", { class: "divider", role: "row" }, words), { entry });
    }
    const row = make("div", { class: `row ${entry.severity}`, role: "row", tabIndex: -1 });
    row.dataset.seq = String(entry.seq);
    row.ariaSelected = String(entry === this.selected);
    const shown = { utc: this.utc, narrow: this.narrow.matches };
    row.append(...this.columns.map((column) => cellOf(column, entry, shown)));
    return Object.assign(row, { entry });
  }
}

/**
 * @param {Entry} entry
 * @returns {entry is Divider}
 */
export const isDivider = (entry) => entry.divider !== undefined;

/**
 * The row whose element holds *target*.
 * @param {EventTarget | null} target
 */
function rowAt(target) {
  const element = target instanceof Element ? target.closest("#rows .row") : null;
  const entry = element && /** @type {EntryElement} */ (element).entry;
  return entry && !isDivider(entry) ? entry : null;
}
