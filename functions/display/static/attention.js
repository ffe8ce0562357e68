// What needs attention: errors and warnings, grouped by their cause, until somebody dismisses them.

import { $, button, make } from "./dom.js";
import { ago, counted, dateAndTime, number, SIGNS, wordsOfType } from "./format.js";

const APART_MS = 5 * 60_000; // longer without an event, and the next one is another occurrence
const SPREAD_MS = 2 * 60_000; // what happens in a cluster within this time of a lost host is its consequence
const NOTIFIED = "display.notify";
const HIDDEN = "display.hidden";
const BARS = "▁▂▃▄▅▆▇█";

/** The kinds of objects whose failure explains that of others. */
const ROOTS = ["host", "cluster", "datastore", "datastore cluster", "network", "switch", "datacenter"];

/**
 * Errors and warnings with one cause.
 * @typedef {object} Group
 * @property {string} key the same after a restart of the display
 * @property {"host" | "cluster" | "target" | "type"} by the column whose value its rows share
 * @property {string} scope that value
 * @property {Row} root the row that names the cause
 * @property {Row[]} rows in order of time
 * @property {number} arrived when the last one arrived, in ms since 1970
 */

/**
 * Group errors, warnings and their consequences by cause. The gravest first, and among them the latest.
 * @param {Iterable<Row>} rows
 * @returns {Group[]}
 */
export function groupByCause(rows) {
  /** @type {Group[]} */
  const groups = [];
  /** @type {Map<string, Group>} */
  const open = new Map();
  for (const row of [...rows].sort((one, other) => one.at - other.at || one.seq - other.seq)) {
    const [by, scope] = scopeOf(row);
    const key = `${row.source} ${by} ${scope}`;
    let group = open.get(key);
    if (!group || row.at - timeOf(group) > APART_MS) {
      group = { key, by, scope, root: row, rows: [], arrived: 0 };
      open.set(key, group);
      groups.push(group);
    }
    group.rows.push(row);
    group.arrived = Math.max(group.arrived, row.received);
    if (rank(row) < rank(group.root)) group.root = row;
  }
  const causes = groups.filter(({ root }) => rank(root) === 0);
  for (const group of groups) {
    if (rank(group.root) === 0) continue;
    const cause = causes.find((other) => isConsequence(group, other));
    if (!cause) continue;
    cause.rows = cause.rows.concat(group.rows).sort((one, other) => one.at - other.at);
    cause.arrived = Math.max(cause.arrived, group.arrived);
    cause.by = "cluster";
    cause.scope = cause.root.cluster;
    group.rows = [];
  }
  return groups
    .filter(({ rows: own, root }) => own.length && root.severity !== "info")
    .sort((one, other) => gravity(other) - gravity(one) || timeOf(other) - timeOf(one));
}

/**
 * The column whose value shows the place of the cause, and the value.
 * @param {Row} row
 * @returns {[Group["by"], string]}
 */
function scopeOf(row) {
  if (row.host) return ["host", row.host];
  if (row.targettype === "host") return ["host", row.target];
  if (row.targettype && row.targettype !== "vm" && row.target) return ["target", row.target];
  return row.cluster ? ["cluster", row.cluster] : ["type", row.type];
}

/**
 * 0: an object that others depend on has failed. The lower, the closer to the cause.
 * @param {Row} row
 */
function rank(row) {
  if (row.severity === "info") return 9;
  return (ROOTS.includes(row.targettype) ? 0 : 2) + (row.severity === "error" ? 0 : 1);
}

/** @param {Group} group */
const gravity = ({ rows }) => (rows.some(({ severity }) => severity === "error") ? 1 : 0);

/** @param {Group} group */
const timeOf = ({ rows }) => rows[rows.length - 1].at;

/**
 * Did *group* begin in the cluster of *cause* shortly after it?
 * @param {Group} group
 * @param {Group} cause
 */
function isConsequence(group, cause) {
  const [first] = group.rows;
  const late = first.at - cause.root.at;
  const { source, cluster } = cause.root;
  return Boolean(cluster) && cluster === first.cluster && source === first.source && late >= -5000 && late <= SPREAD_MS;
}

/**
 * "32 × VM disconnected, 2 × VM power off failed": the rows beside the root.
 * @param {Group} group
 */
export function consequences({ root, rows }) {
  /** @type {Map<string, number>} */
  const types = new Map();
  for (const { type } of rows) types.set(type, (types.get(type) ?? 0) + 1);
  types.set(root.type, (types.get(root.type) ?? 1) - 1);
  return [...types]
    .filter(([, times]) => times)
    .sort(([, one], [, other]) => other - one)
    .map(([type, times]) => `${number(times)} × ${wordsOfType(type)}`)
    .join(", ");
}

/**
 * The number of rows over the time of a group until now, as bars.
 * @param {Group} group
 * @param {number} now
 */
export function trend({ rows }, now) {
  const first = rows[0].at;
  const step = Math.max(now - first, 10_000) / 10;
  const counts = Array(10).fill(0);
  for (const { at } of rows) counts[Math.max(0, Math.min(9, Math.floor((at - first) / step)))]++;
  const max = Math.max(...counts);
  return counts.map((count) => (count ? BARS[Math.ceil((count / max) * 7)] : BARS[0])).join("");
}

/**
 * @typedef {object} AttentionListeners
 * @property {(group: Group) => void} open called when a group is chosen
 */

export class Attention {
  /** @param {AttentionListeners} on */
  constructor(on) {
    this.on = on;
    /** @type {Group[]} */
    this.groups = [];
    /** @type {Group[]} */
    this.hidden = [];
    this.utc = false;
    /**
     * Until when groups are hidden, by key: ms since 1970 of the last arrival, or Infinity if they are muted.
     * @type {Map<string, number>}
     */
    this.until = new Map(
      stored(HIDDEN, []).map((/** @type {[string, number | null]} */ [key, until]) => [key, until ?? Infinity]),
    );
    /** @type {Set<string> | null} */
    this.known = null;
    this.icon = /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=icon]"));
    this.calm = this.icon.href;
    this.title = document.title;
    $("attention-more").addEventListener("click", () => this.list());
    const notify = $("attention-notify");
    notify.hidden = !("Notification" in window && isSecureContext);
    notify.ariaPressed = String(stored(NOTIFIED, false) && !notify.hidden && Notification.permission === "granted");
    notify.addEventListener("click", () => this.choose(notify));
  }

  /** @param {HTMLElement} notify */
  async choose(notify) {
    const isAllowed = notify.ariaPressed !== "true" && (await Notification.requestPermission()) === "granted";
    notify.ariaPressed = String(isAllowed);
    localStorage.setItem(NOTIFIED, String(isAllowed));
  }

  /**
   * Show what needs attention among all errors and warnings that the page holds.
   * @param {Iterable<Row>} rows
   * @param {boolean} utc
   */
  show(rows, utc) {
    const all = groupByCause(rows);
    this.utc = utc;
    this.hidden = all.filter(({ key, arrived }) => arrived <= (this.until.get(key) ?? 0));
    this.groups = all.filter((group) => !this.hidden.includes(group));
    this.paint();
    this.call();
  }

  paint() {
    const [first, ...others] = this.groups;
    const line = $("attention-line");
    line.className = first ? first.root.severity : "calm";
    if (first) line.replaceChildren(...this.cells(first));
    else line.replaceChildren(make("span", { class: "faint" }, "Nothing needs attention"));
    const more = [];
    if (others.length) more.push(`${number(others.length)} more`);
    if (this.hidden.length) more.push(`${number(this.hidden.length)} hidden`);
    $("attention-more").textContent = more.join(", ") || "All";
    $("attention-more").hidden = !this.groups.length && !this.hidden.length;
    const list = $("attention-list");
    if (!list.popover || list.matches(":popover-open")) this.list();
  }

  /**
   * @param {Group} group
   * @returns {HTMLElement[]}
   */
  cells(group) {
    const { root, rows } = group;
    const now = Date.now();
    const last = timeOf(group);
    const times = `first ${dateAndTime(rows[0].at, this.utc)}, last ${dateAndTime(last, this.utc)}`;
    const also = consequences(group);
    return [
      make("span", { class: "sign", ariaHidden: "true" }, SIGNS[root.severity]),
      button(root.message || wordsOfType(root.type), () => this.on.open(group), {
        class: "cause plain",
        title: `${root.message}\n(click: show these ${counted(rows.length, "event")})`,
      }),
      make("span", { class: "also", title: also }, also),
      make("span", { class: "trend", ariaHidden: "true", title: times }, trend(group, now)),
      make("span", { class: "since", title: times }, `${counted(rows.length, "event")}, last ${ago(now - last)}`),
      button("Dismiss", () => this.hide(group, group.arrived), {
        class: "small",
        title: "Hide it until the next such event",
        ariaLabel: `Dismiss: ${root.message}`,
      }),
      button("Mute", () => this.hide(group, Infinity), {
        class: "small",
        title: "Hide it, and all that happens here later",
        ariaLabel: `Mute: ${root.message}`,
      }),
    ];
  }

  /** List all groups, and those that are hidden. */
  list() {
    const items = this.groups.map((group) => make("li", { class: group.root.severity }, ...this.cells(group)));
    const hidden = this.hidden.map((group) =>
      make(
        "li",
        { class: "faint" },
        make("span", { class: "cause" }, group.root.message),
        make("span", { class: "since" }, this.until.get(group.key) === Infinity ? "muted" : "dismissed"),
        button("Show", () => this.hide(group, 0), { class: "small", ariaLabel: `Show: ${group.root.message}` }),
      ),
    );
    $("attention-groups").replaceChildren(...items, ...hidden);
  }

  /**
   * Hide *group* until a row arrives after *until*.
   * @param {Group} group
   * @param {number} until
   */
  hide(group, until) {
    if (until) this.until.set(group.key, until);
    else this.until.delete(group.key);
    localStorage.setItem(HIDDEN, JSON.stringify([...this.until].slice(-200)));
    this.show(
      [...this.groups, ...this.hidden].flatMap(({ rows }) => rows),
      this.utc,
    );
  }

  /** Let the title, the icon and, if that is chosen, a notification call for errors. */
  call() {
    const errors = this.groups.filter((group) => gravity(group));
    const [first] = errors;
    const events = errors.reduce((sum, { rows }) => sum + rows.length, 0);
    const title = first ? `(${number(events)}) ${causeInShort(first)} – ${this.title}` : this.title;
    if (document.title !== title) document.title = title;
    const icon = first ? ALARM_ICON : this.calm;
    if (this.icon.href !== icon) this.icon.href = icon;
    const keys = new Set(errors.map(({ key, rows }) => `${key} ${rows[0].at}`));
    if (this.known && $("attention-notify").ariaPressed === "true") {
      for (const group of errors) {
        if (this.known.has(`${group.key} ${group.rows[0].at}`)) continue;
        new Notification(causeInShort(group), { body: group.root.message, tag: group.key });
      }
    }
    this.known = keys;
  }
}

/** @param {Group} group */
const causeInShort = ({ root }) => `${root.target || root.host || root.cluster || "error"}: ${wordsOfType(root.type)}`;

const ALARM_ICON = `data:image/svg+xml;base64,${btoa(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#c62f26"/>' +
    '<path d="M8 3v6.2M8 11.4v1.8" stroke="#fff" stroke-width="2.2" stroke-linecap="round"/></svg>',
)}`;

/**
 * What this browser keeps under *name*, else *initial*.
 * @template Value
 * @param {string} name
 * @param {Value} initial
 * @returns {any}
 */
function stored(name, initial) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null") ?? initial;
  } catch {
    return initial;
  }
}
