// Bars over the time of all that is held, stacked by severity. Selecting some of them selects, and enlarges, their time.

import { $ } from "./dom.js";
import { counted, DAY, dateAndTime, HOUR, MINUTE, number, SECOND, SEVERITIES, timeOfDay } from "./format.js";

const MIN_SPAN_MS = 15 * MINUTE;
const MAX_BARS = 120;
/** The lengths of time that a bar may stand for, and the distance of two times on the axis. */
const LENGTHS = [1, 2, 5, 10, 15, 30].map((count) => count * SECOND);
LENGTHS.push(...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE));
LENGTHS.push(...[1, 2, 3, 6, 12].map((count) => count * HOUR), DAY, 2 * DAY, 7 * DAY, 30 * DAY, 365 * DAY);

export class Strip {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} caption
   * @param {(from: number | null, to: number | null) => void} select called with a span, or with nulls after a click
   */
  constructor(canvas, caption, select) {
    this.canvas = canvas;
    this.caption = caption;
    this.select = select;
    /** @type {Record<Severity, number>[]} */
    this.counts = [];
    this.size = { width: 0, height: 0 };
    /** @type {Record<string, string> | null} */
    this.colors = null;
    this.start = 0;
    /** Do the bars end now? */
    this.isOpen = true;
    this.step = 10 * SECOND;
    /** @type {[number, number] | null} */
    this.drag = null;
    /** The bar that the keyboard or the pointer is at, or -1. */
    this.bar = -1;
    this.utc = false;
    this.follow();
    // Size and colors are kept: reading them at every drawing would make the browser lay out everything at once.
    new ResizeObserver(([{ contentRect }]) => {
      this.size = contentRect;
      canvas.width = contentRect.width * devicePixelRatio;
      canvas.height = contentRect.height * devicePixelRatio;
      this.draw();
    }).observe(canvas);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => {
        this.colors = null;
        this.draw();
      });
    }
  }

  /** Follow pointer and keyboard. */
  follow() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.drag = [this.timeAt(event), this.timeAt(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.drag) this.drag[1] = this.timeAt(event);
      this.point(Math.floor((this.timeAt(event) - this.start) / this.step));
    });
    canvas.addEventListener("pointerup", () => {
      if (!this.drag) return;
      const [from, to] = this.drag.toSorted((one, other) => one - other);
      this.drag = null;
      if (to - from < this.step / 2) this.select(null, null);
      else this.select(Math.floor(from / SECOND) * SECOND, Math.ceil(to / SECOND) * SECOND);
    });
    canvas.addEventListener("pointercancel", () => (this.drag = null));
    for (const name of ["pointerleave", "blur"]) canvas.addEventListener(name, () => this.point(-1));
    canvas.addEventListener("keydown", (key) => this.key(key));
  }

  /** @param {KeyboardEvent} key */
  key(key) {
    const bar = this.bar < 0 ? this.counts.length - 1 : this.bar;
    /** @type {Record<string, number>} */
    const places = { ArrowLeft: bar - 1, ArrowRight: bar + 1, Home: 0, End: this.counts.length - 1 };
    if (key.key in places) this.point(Math.max(0, Math.min(places[key.key], this.counts.length - 1)));
    else if (key.key === "Enter" && this.bar >= 0) this.select(this.timeOf(bar), this.timeOf(bar + 1));
    else if (key.key === "Backspace") this.select(null, null);
    else return;
    key.preventDefault();
    key.stopPropagation();
  }

  /**
   * Show what the bar number *bar* stands for. -1: none.
   * @param {number} bar
   */
  point(bar) {
    this.bar = bar < this.counts.length ? bar : -1;
    const counts = this.counts[this.bar];
    const tip = $("strip-tip");
    tip.hidden = !counts;
    if (counts) {
      const words = SEVERITIES.filter((severity) => counts[severity]).map(
        (severity) => `${number(counts[severity])} ${severity}`,
      );
      const times = [bar, bar + 1].map((end) => dateAndTime(this.timeOf(end), this.utc));
      tip.textContent = `${times[0]} – ${times[1].slice(11)}: ${words.join(", ") || "no event"}`;
      const place = this.canvas.offsetLeft + ((bar + 0.5) / this.counts.length) * this.size.width;
      tip.style.left = `${Math.max(8, Math.min(place - 130, this.size.width - 260))}px`;
    }
    this.draw();
  }

  /** @param {number} bar */
  timeOf(bar) {
    return this.start + bar * this.step;
  }

  /** @param {PointerEvent} event */
  timeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = Math.min(0.9999, Math.max(0, (event.clientX - box.left) / box.width));
    return this.start + share * this.counts.length * this.step;
  }

  /**
   * Start to count: from *from* (ms since 1970) to *to*, or until now.
   * @param {number} from
   * @param {number | null} to
   */
  begin(from, to = null) {
    const until = Math.max(to ?? Date.now(), from + SECOND);
    const span = to === null ? Math.max(until - from, MIN_SPAN_MS) : until - from;
    this.step = LENGTHS.find((step) => span / step <= MAX_BARS) ?? span / MAX_BARS;
    const end = Math.ceil(until / this.step) * this.step;
    const bars = Math.max(1, Math.ceil((span - (end - until)) / this.step) + (end > until ? 1 : 0));
    this.start = end - bars * this.step;
    this.counts = Array.from({ length: bars }, () => ({ error: 0, warning: 0, info: 0 }));
    this.isOpen = to === null;
  }

  /** @param {Row} row */
  count(row) {
    const bar = Math.floor((row.at - this.start) / this.step);
    // The clock of a source may be ahead: what it says of the future counts as now.
    const counts = this.counts[this.isOpen ? Math.min(bar, this.counts.length - 1) : bar];
    if (counts) counts[row.severity]++;
  }

  /**
   * Draw the counts.
   * @param {boolean} utc
   */
  show(utc) {
    this.utc = utc;
    /** @param {Severity} severity */
    const total = (severity) => this.counts.reduce((sum, counts) => sum + counts[severity], 0);
    const [errors, warnings, infos] = SEVERITIES.map(total);
    const span = spanInWords(this.counts.length * this.step);
    const summary = `${counted(errors, "error")}, ${counted(warnings, "warning")}`;
    const words = `${number(errors + warnings + infos)} in ${span}: ${summary}`;
    if (this.caption.textContent !== words) this.caption.textContent = words;
    const label = `Events from ${dateAndTime(this.start, utc)} on: ${words}. Arrows choose a bar, Enter selects its time`;
    this.canvas.ariaLabel = label;
    this.draw();
  }

  /** @returns {Record<string, string>} */
  readColors() {
    const style = getComputedStyle(this.canvas);
    /** @param {string} name */
    const color = (name) => style.getPropertyValue(`--${name}`);
    const bars = Object.fromEntries(SEVERITIES.map((severity) => [severity, color(`${severity}-bar`)]));
    return {
      ...bars,
      chosen: color("chosen"),
      line: color("line"),
      faint: color("faint"),
      font: `11px ${style.fontFamily}`,
    };
  }

  draw() {
    const { width, height } = this.size;
    if (!width || !this.counts.length) return;
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.setTransform(this.canvas.width / width, 0, 0, this.canvas.height / height, 0, 0);
    context.clearRect(0, 0, width, height);
    const colors = (this.colors ??= this.readColors());
    const room = height - 14; // below it, the times
    this.drawSelection(context, colors, width, room);
    const max = Math.max(4, ...this.counts.map((counts) => counts.error + counts.warning + counts.info));
    const wide = width / this.counts.length;
    this.counts.forEach((counts, index) => {
      let bottom = room;
      for (const severity of SEVERITIES) {
        if (!counts[severity]) continue;
        const tall = Math.max(2, (counts[severity] / max) * (room - 2));
        context.fillStyle = colors[severity];
        context.fillRect(index * wide + 0.5, bottom - tall, Math.max(1, wide - 1), tall);
        bottom -= tall;
      }
    });
    this.drawAxis(context, colors, width, height);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Record<string, string>} colors
   * @param {number} width
   * @param {number} room
   */
  drawSelection(context, colors, width, room) {
    const span = this.counts.length * this.step;
    const bar = this.bar < 0 ? null : [this.timeOf(this.bar), this.timeOf(this.bar + 1)];
    const marked = this.drag?.toSorted((one, other) => one - other) ?? bar;
    if (!marked) return;
    const [from, to] = marked.map((ms) => Math.min(width, Math.max(0, ((ms - this.start) / span) * width)));
    context.fillStyle = colors.chosen;
    context.fillRect(from, 0, to - from, room);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Record<string, string>} colors
   * @param {number} width
   * @param {number} height
   */
  drawAxis(context, colors, width, height) {
    const span = this.counts.length * this.step;
    context.fillStyle = colors.line;
    context.fillRect(0, height - 14, width, 1);
    context.font = colors.font;
    const apart = LENGTHS.find((step) => (step / span) * width >= 110) ?? span;
    const zone = this.utc ? 0 : new Date(this.start).getTimezoneOffset() * MINUTE;
    const first = Math.ceil((this.start - zone) / apart) * apart + zone;
    for (let time = first; time < this.start + span; time += apart) {
      const x = ((time - this.start) / span) * width;
      context.fillStyle = colors.line;
      context.fillRect(x, height - 14, 1, 4);
      context.fillStyle = colors.faint;
      context.fillText(this.timeInWords(time, apart, span), x + 3, height - 2);
    }
  }

  /**
   * @param {number} time
   * @param {number} apart
   * @param {number} span
   */
  timeInWords(time, apart, span) {
    if (apart >= DAY) return dateAndTime(time, this.utc).slice(0, 10);
    if (apart < MINUTE) return dateAndTime(time, this.utc).slice(11, 19);
    return span > DAY ? dateAndTime(time, this.utc).slice(5, 16) : timeOfDay(time, this.utc);
  }
}

/**
 * "15 min", "3 h", "2 d"
 * @param {number} ms
 */
function spanInWords(ms) {
  if (ms < 2 * MINUTE) return `${Math.round(ms / SECOND)} s`;
  if (ms < 2 * HOUR) return `${Math.round(ms / MINUTE)} min`;
  return ms < 2 * DAY ? `${Math.round(ms / HOUR)} h` : `${Math.round(ms / DAY)} d`;
}
