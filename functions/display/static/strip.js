// The rate of the last 15 minutes, stacked by severity. Dragging over it selects a time span.

import { counted, number, SEVERITIES, timeOfDay } from "./format.js";

const MINUTES = 15;
const BUCKET_MS = 10_000;
const BUCKETS = (MINUTES * 60_000) / BUCKET_MS;

/**
 * A time span in ms since 1970. Null: open.
 * @typedef {[number | null, number | null]} Span
 */

export class Strip {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} caption
   * @param {(from: number | null, to: number | null) => void} select called with a span, or with nulls after a click
   */
  constructor(canvas, caption, select) {
    this.canvas = canvas;
    this.caption = caption;
    /** @type {Record<Severity, number>[]} */
    this.counts = [];
    this.size = { width: 0, height: 0 };
    /** @type {Record<string, string> | null} */
    this.colors = null;
    /** @type {Span} */
    this.selected = [null, null];
    this.start = 0;
    /** @type {[number, number] | null} */
    this.drag = null;
    this.utc = false;
    this.follow(select);
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

  /**
   * Follow the pointer while it selects a span.
   * @param {(from: number | null, to: number | null) => void} select
   */
  follow(select) {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.drag = [this.timeAt(event), this.timeAt(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.drag) return;
      this.drag[1] = this.timeAt(event);
      this.draw();
    });
    canvas.addEventListener("pointerup", () => {
      if (!this.drag) return;
      const [from, to] = this.drag.toSorted((one, other) => one - other);
      this.drag = null;
      if (to - from < BUCKET_MS / 2) select(null, null);
      else select(Math.floor(from / 1000) * 1000, Math.ceil(to / 1000) * 1000);
    });
    canvas.addEventListener("pointercancel", () => (this.drag = null));
  }

  /** @param {PointerEvent} event */
  timeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return this.start + share * MINUTES * 60_000;
  }

  /** Start to count the 15 minutes until now. */
  begin() {
    const end = Math.ceil(Date.now() / BUCKET_MS) * BUCKET_MS;
    this.start = end - MINUTES * 60_000;
    this.counts = Array.from({ length: BUCKETS }, () => ({ error: 0, warning: 0, info: 0 }));
  }

  /** @param {Row} row */
  count(row) {
    const bucket = this.counts[Math.floor((row.at - this.start) / BUCKET_MS)];
    if (bucket) bucket[row.severity]++;
  }

  /**
   * Draw the counts, and mark a span (null: open).
   * @param {number | null} from
   * @param {number | null} to
   * @param {boolean} utc
   */
  show(from, to, utc) {
    this.selected = [from, to];
    this.utc = utc;
    /** @param {Severity} severity */
    const total = (severity) => this.counts.reduce((sum, bucket) => sum + bucket[severity], 0);
    const [errors, warnings, infos] = SEVERITIES.map(total);
    const summary = `${counted(errors, "error")}, ${counted(warnings, "warning")}`;
    const words = `${number(errors + warnings + infos)} in ${MINUTES} min: ${summary}`;
    if (this.caption.textContent !== words) this.caption.textContent = words;
    this.canvas.ariaLabel = `Events of the last ${MINUTES} minutes: ${words}`;
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
    const max = Math.max(4, ...this.counts.map((bucket) => bucket.error + bucket.warning + bucket.info));
    const wide = width / BUCKETS;

    const [from, to] = this.drag ? this.drag.toSorted((one, other) => one - other) : this.selected;
    if (from || to) {
      /** @param {number} ms */
      const x = (ms) => Math.min(width, Math.max(0, ((ms - this.start) / (MINUTES * 60_000)) * width));
      context.fillStyle = colors.chosen;
      context.fillRect(x(from ?? 0), 0, x(to ?? Infinity) - x(from ?? 0), room);
    }
    this.counts.forEach((bucket, index) => {
      let bottom = room;
      for (const severity of SEVERITIES) {
        if (!bucket[severity]) continue;
        const tall = Math.max(2, (bucket[severity] / max) * (room - 2));
        context.fillStyle = colors[severity];
        context.fillRect(index * wide + 0.5, bottom - tall, Math.max(1, wide - 1), tall);
        bottom -= tall;
      }
    });
    context.fillStyle = colors.line;
    context.fillRect(0, room, width, 1);
    context.fillStyle = colors.faint;
    context.font = colors.font;
    for (let minute = 0; minute < MINUTES; minute += 5) {
      context.fillText(timeOfDay(this.start + minute * 60_000, this.utc), (minute / MINUTES) * width + 2, height - 2);
    }
  }
}
