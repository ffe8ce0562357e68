// The page: connects the stream, the rows, the filters, the table and the open event.

import { Attention } from "./attention.js";
import { DeadLetters } from "./dead-letters.js";
import { Detail } from "./detail.js";
import { $, absolute, api, button, make, messageOf, soon } from "./dom.js";
import { Find } from "./find.js";
import { counted, dateAndTime, number, timeOfDay } from "./format.js";
import { healthOf, showHealth } from "./health.js";
import { listen } from "./keys.js";
import { foldedInto, Operations } from "./operations.js";
import { Past } from "./past.js";
import { Query } from "./query.js";
import { Rejected } from "./rejected.js";
import { Rows } from "./rows.js";
import { Send } from "./send.js";
import { follow } from "./stream.js";
import { Strip } from "./strip.js";
import { isDivider, Table } from "./table.js";
import { structured } from "./trigger.js";
import { arrangeWall, IS_WALL, showFigures } from "./wall.js";

const MAX_DIVIDERS = 20;

const body = document.body;
const rows = new Rows();
const operations = new Operations();
const query = new Query();
/** The tests of the query. */
let tests = query.tests();
/**
 * What the table shows, oldest first.
 * @type {Entry[]}
 */
let visible = [];
/**
 * What matches the query and arrived while the view is held still.
 * @type {Entry[]}
 */
let waiting = [];
/** @type {Divider[]} */
let dividers = [];
/**
 * The last row that is shown while the view is paused, or null.
 * @type {{ seq: number } | null}
 */
let paused = null;
/**
 * The server's counts, or null until it sent them.
 * @type {Numbers | null}
 */
let numbers = null;
/** The newest row, and by how much its time is ahead. */
let newest = { received: 0, ahead: 0 };
/** By how much the display's clock is ahead of this browser's, in ms. */
let clockAhead = 0;
let connection = { name: "connecting", words: "connecting" };
/**
 * Sends events, if that is allowed.
 * @type {Send | null}
 */
let send = null;
/** The name of the display's own Service. */
let service = "display";
/**
 * The dead letters, if there is a deadletter function.
 * @type {DeadLetters | null}
 */
let deadLetters = null;
/**
 * The last row before the stream was cut, until a new one arrives.
 * @type {{ seq: number, since: number } | null}
 */
let cutAt = null;

// ── the query ──

const find = new Find(query, (typing) => {
  address(typing);
  look();
});

find.valuesOf = (/** @type {string} */ field) => {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const row of rows.values()) counts.set(String(row[field]), (counts.get(String(row[field])) ?? 0) + 1);
  counts.delete("");
  return [...counts].sort(([, times], [, others]) => others - times).map(([value]) => value);
};

/** Write the view and the open event to the address, as a step back or in place of the present one. */
function address(replace = false) {
  const written = `${location.pathname}?${query.write()}`.replace(/\?$/, "");
  if (replace) history.replaceState(null, "", written);
  else history.pushState(null, "", written);
}

addEventListener("popstate", () => {
  look();
  openAddressed();
});

/** Open the event in the address once it is held, and close the one that is not in it. */
function openAddressed() {
  const row = operations.byId.get(query.event);
  if (!query.event) detail.close();
  else if (row && detail.row !== row) table.open(row);
}

/** Show what matches the query in the address. */
function look() {
  query.read(new URLSearchParams(location.search));
  if (IS_WALL && !query.severities.size) query.severities = new Set(["error", "warning"]);
  tests = query.tests();
  find.show();
  table.dress(query.view, query.utc);
  const all = [...survey(), ...dividers].sort(bySeq);
  const last = paused?.seq ?? Infinity;
  visible = all.filter((entry) => entry.seq <= last);
  waiting = all.filter((entry) => entry.seq > last);
  table.toTop();
  paint();
  startPast();
}

/**
 * @param {Entry} one
 * @param {Entry} other
 */
const bySeq = (one, other) => one.seq - other.seq;

// ── the table ──

const table = new Table($("scroller"), $("heading"), $("rows"), {
  open(row) {
    const event = `${row.source} ${row.id}`;
    if (query.event !== event) {
      const isNext = Boolean(query.event);
      query.event = event;
      address(isNext);
    }
    detail.open(row, query.utc);
  },
  filter: (name, value, exclude) => find.toggle(name, value, exclude),
  scroll() {
    markSoon();
    if (table.isAtTop && waiting.length) paintSoon();
    if (table.isAtEnd) past.read(query);
  },
});

const detail = new Detail({
  open: openRow,
  async outcome(row) {
    const replies = [...rows.values()].filter((other) => other.cause === row.id && other.source === row.source);
    return { replies, deadLetters: (await deadLetters?.of(row)) ?? [], service };
  },
  filter: (name, value, exclude) => find.toggle(name, value, exclude),
  close() {
    if (query.event) {
      query.event = "";
      address(true);
    }
    const index = table.indexOf(table.selected);
    table.select(null);
    if (index >= 0) table.focus(index);
    paintSoon();
  },
});

/** @param {Row} row */
function openRow(row) {
  table.open(row);
}

const attention = new Attention({
  open({ by, scope, root, rows: [first] }) {
    query.clear();
    query.toggle(by, scope);
    query.from = Math.floor(first.at / 1000) * 1000;
    find.changed();
    table.open(root);
  },
});

/** Does the view hold still? While somebody reads or aims at a row, nothing moves. */
function isHolding() {
  return visible.length > 0 && (paused || !table.isAtTop || table.isHeld || detail.isOpen);
}

const past = new Past((lists) => {
  const shown = new Set(visible.map(({ seq }) => seq));
  const earlier = lists.map((list) => rows.row(list)).filter((row) => !shown.has(row.seq) && tests.all(row));
  visible = [...earlier, ...visible].sort(bySeq);
  paint();
  if (table.isAtEnd) past.read(query);
});

/** Let the search in the file continue where the rows end that are held. */
function startPast() {
  let first = Infinity;
  for (const row of rows.values()) if (!row.important) first = Math.min(first, row.seq);
  past.start(Number.isFinite(first) ? first : rows.last + 1);
  if (table.isAtEnd) past.read(query);
}

function paint(isForced = false) {
  const holding = !isForced && isHolding();
  if (!holding && waiting.length) {
    const entries = visible.length ? [visible[visible.length - 1], ...waiting] : waiting;
    const inOrder = entries.every((entry, index) => !index || entry.seq > entries[index - 1].seq);
    visible = visible.concat(waiting);
    if (!inOrder) visible.sort(bySeq);
    waiting = [];
    visible = visible.filter(isShown);
  }
  waiting = waiting.filter(isShown);
  if (!holding && visible[0]?.gone) visible = visible.filter((entry) => !entry.gone);
  if (visible !== table.entries) table.show(visible);
  else table.paint();
  $("new").hidden = !waiting.length;
  $("new").textContent = `${number(waiting.length)} new`;
  $("empty").hidden = rows.size > 0 || !numbers;
  $("nothing").hidden = visible.length > 0 || rows.size === 0;
  $("table").hidden = rows.size === 0;
  body.dataset.held = String(rows.size);
  markSoon();
}

/** Mark what the text search matches, in the rows that are in view. */
function mark() {
  const hits = new Highlight();
  const { patterns } = query;
  const texts = document.createTreeWalker($("rows"), NodeFilter.SHOW_TEXT);
  for (let node = patterns.length ? texts.nextNode() : null; node; node = texts.nextNode()) {
    for (const pattern of patterns) {
      const hit = pattern.exec(node.textContent ?? "");
      if (!hit?.[0]) continue;
      const range = new StaticRange({
        startContainer: node,
        startOffset: hit.index,
        endContainer: node,
        endOffset: hit.index + hit[0].length,
      });
      hits.add(range);
    }
  }
  CSS.highlights.set("hit", hits);
}

const markSoon = soon(() => CSS.highlights && mark());
const paintSoon = soon(() => paint());

function toNewest() {
  if (paused) pause();
  table.toTop();
  paint(true);
}

function pause() {
  paused = paused ? null : { seq: rows.last };
  $("pause").ariaPressed = String(Boolean(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  showConnection();
  paint();
}

// ── numbers ──

const strip = new Strip($("strip"), $("rate"), (from, to) => {
  Object.assign(query, { from, to, minutes: null });
  find.changed();
});

/**
 * Count and return all rows that match the query. The counts by time, severity and type each ignore their own filter, so
 * that they say what choosing another value would show.
 */
function survey() {
  const matching = [];
  let folded = 0;
  const bySeverity = { error: 0, warning: 0, info: 0 };
  /** @type {Map<string, number>} */
  const byValue = new Map();
  strip.begin(...stripSpan());
  for (const row of rows.values()) {
    if (!tests.values(row)) continue;
    const isInFacet = tests.facet(row);
    if (isInFacet && (IS_WALL || tests.severity(row))) strip.count(row);
    if (!tests.time(row)) continue;
    if (isInFacet) bySeverity[row.severity]++;
    if (!tests.severity(row)) continue;
    const value = String(row[query.facet]);
    if (value) byValue.set(value, (byValue.get(value) ?? 0) + 1);
    if (!isInFacet) continue;
    if (foldsNow(row)) folded++;
    if (query.steps || !foldsNow(row)) matching.push(row);
  }
  find.count(bySeverity, byValue, matching.length, folded, rows.size);
  attention.show(rows.important.values(), query.utc);
  if (IS_WALL) showFigures(rows.values(), attention.groups.length, Date.now() + clockAhead);
  strip.show(query.utc);
  showNumbers();
  return matching;
}

/**
 * Is *row* folded into another one that matches the query?
 * @param {Row} row
 */
function foldsNow(row) {
  const head = foldedInto(row);
  return head !== null && tests.all(head);
}

/** @param {Entry} entry */
const isShown = (entry) => query.steps || isDivider(entry) || !foldsNow(entry);

/** Find all operations again, because rows came that are older than those of the known ones. */
const foldSoon = soon(() => {
  operations.clear();
  for (const row of rows.values()) row.operation = row.storm = undefined;
  for (const row of operations.add([...rows.values()])) table.refresh(row);
  visible = visible.filter(isShown);
  if (query.event && !detail.isOpen) openAddressed();
  paint();
  survey();
}, 100);

/**
 * The time that the bars show: the selected one, or that of all rows.
 * @returns {[number, number | null]}
 */
function stripSpan() {
  const { from, to, minutes } = query;
  const now = Date.now();
  if (from) return [from, to];
  if (minutes) return [now - minutes * 60_000, null];
  let first = now;
  for (const row of rows.values()) first = Math.min(first, Math.max(row.at, row.received - 86_400_000));
  return [first, to];
}

const surveySoon = soon(survey, 400);

function showNumbers() {
  if (!numbers) return;
  const { received, held, oldest, gaps, rejected } = numbers;
  const words = [`${number(held)} kept of ${number(received)}`];
  if (oldest) words.push(`oldest ${timeOfDay(oldest, query.utc)}`);
  words.push(counted(gaps, "gap"), `${number(rejected)} rejected`);
  $("state").textContent = words.join(", ");
  $("state").title = oldest ? `the oldest arrived ${dateAndTime(oldest, query.utc)}` : "";
}

setInterval(survey, 10_000); // time spans move without events, too
setInterval(() => query.minutes && !isHolding() && look(), 10_000);
setInterval(() => {
  if (waiting.length && !isHolding()) paintSoon();
  showHealthNow();
}, 1000);

function showHealthNow() {
  if (!numbers) return;
  showHealth($("health"), healthOf(numbers, newest.received, newest.ahead, Date.now() + clockAhead));
}

// ── the stream ──

const rejected = new Rejected();

function clear() {
  rows.clear();
  operations.clear();
  visible = [];
  waiting = [];
  dividers = [];
  cutAt = null;
  newest = { received: 0, ahead: 0 };
}

follow(absolute("api/events"), {
  reset({ columns }) {
    const lost = rows.size;
    clear();
    rows.names = columns;
    rows.last = 0;
    if (paused) paused = { seq: 0 };
    if (lost)
      divide(0, `the display was restarted: ${counted(lost, "event")} shown before ${are(lost)} no longer held`);
  },
  missed(changes) {
    clear();
    divide(rows.last, `${counted(changes, "event")} came in between and ${are(changes)} no longer held`);
  },
  resumed(since) {
    cutAt = { seq: rows.last, since };
  },
  older(lists) {
    const older = rows.addOlder(lists).filter(tests.all);
    foldSoon();
    visible = [...older, ...visible];
    if (older.length && older[older.length - 1].seq > (visible[older.length]?.seq ?? Infinity)) visible.sort(bySeq);
    paintSoon();
    surveySoon();
  },
  rows(lists) {
    const { fresh, repeated } = rows.add(lists);
    for (const row of fresh) {
      if (row.received >= newest.received) newest = { received: row.received, ahead: row.at - row.received };
    }
    for (const row of repeated) table.refresh(row);
    for (const row of operations.add(fresh)) table.refresh(row);
    if (query.event && !detail.isOpen) openAddressed();
    if (cutAt && fresh.length) {
      const span = `from ${timeOfDay(cutAt.since, query.utc)} to ${timeOfDay(Date.now(), query.utc)}`;
      divide(cutAt.seq, `not connected ${span}; what came in between is above`);
      cutAt = null;
    }
    waiting.push(...fresh.filter(tests.all));
    send?.arrived();
    paintSoon();
    surveySoon();
  },
  numbers(counts) {
    if (!numbers) setTimeout(startPast, 1000); // when all that is held is here
    numbers = counts;
    rows.keep(numbers.held, numbers.important);
    if (waiting.length > 2 * numbers.held) waiting = waiting.filter((entry) => !entry.gone);
    body.dataset.counted = "true";
    rejected.counted(numbers.rejected, query.utc);
    paintSoon();
    surveySoon();
  },
  beat(now) {
    clockAhead = now - Date.now();
  },
  connection(name, words) {
    connection = { name, words };
    showConnection();
  },
});

/** @param {number} count */
const are = (count) => (count === 1 ? "is" : "are");

/**
 * Put a line with *words* above the row number *seq*.
 * @param {number} seq
 * @param {string} words
 */
function divide(seq, words) {
  const line = { divider: words, seq: seq + 0.5 };
  dividers = [...dividers.slice(1 - MAX_DIVIDERS), line];
  waiting.push(line);
}

function showConnection() {
  const still = paused && connection.name === "live";
  body.dataset.connection = still ? "paused" : connection.name;
  $("connection").textContent = still ? "paused" : connection.words;
  $("unconnected").hidden = Boolean(numbers) || ["connecting", "live"].includes(connection.name);
  $("unconnected-words").textContent = connection.words;
}

// ── the tabs ──

const TAB_NAMES = ["events", "rejected", "dead-letters", "send"];

for (const tab of TAB_NAMES) {
  $(`show-${tab}`).addEventListener("click", () => show(tab));
}

/** @param {string} tab */
function show(tab) {
  for (const name of TAB_NAMES) {
    $(`show-${name}`).ariaSelected = String(name === tab);
    $(`show-${name}`).tabIndex = name === tab ? 0 : -1;
    $(name).hidden = name !== tab;
  }
  body.dataset.tab = tab;
  if (tab !== "events") detail.close();
  if (tab === "rejected") rejected.load();
  if (tab === "dead-letters") deadLetters?.show(query.utc);
  if (tab === "events") paint();
}

$("tabs").addEventListener("keydown", (key) => {
  if (key.key !== "ArrowRight" && key.key !== "ArrowLeft") return;
  const tabs = TAB_NAMES.map((name) => $(`show-${name}`)).filter((tab) => !tab.hidden);
  const current = tabs.findIndex((tab) => tab === document.activeElement);
  const steps = key.key === "ArrowRight" ? 1 : tabs.length - 1;
  const next = tabs[(current + steps) % tabs.length];
  next.focus();
  next.click();
});

// ── export ──

for (const format of ["jsonl", "csv"]) {
  $(`export-${format}`).addEventListener("click", () => {
    $("exports").hidePopover();
    download(format).catch((error) => ($("count").textContent = `Not exported: ${messageOf(error)}`));
  });
}

/**
 * Save the events that are shown as a file.
 * @param {string} format
 */
async function download(format) {
  const chosen = visible.filter((entry) => !isDivider(entry)).map((row) => row.seq);
  const response = await api(`api/export.${format}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(chosen),
  });
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  const link = make("a", {
    href: URL.createObjectURL(await response.blob()),
    download: name ?? `events.${format}`,
  });
  link.click();
  URL.revokeObjectURL(link.href);
}

// ── the keyboard ──

$("new").addEventListener("click", toNewest);
$("pause").addEventListener("click", pause);

/** @param {number} steps */
function step(steps) {
  table.move(steps);
  if (detail.isOpen && table.current) table.open(table.current);
}

listen({
  "/": () => $("text").focus(),
  j: () => step(1),
  k: () => step(-1),
  Enter: () => table.current && table.open(table.current),
  Escape: () => detail.close(),
  " ": pause,
  g: () => {
    toNewest();
    table.focus(0);
  },
  e: () => find.toggleSeverity("error"),
  v: () => find.toggleView(),
  "?": () => $("help").showModal(),
});

/** Show what depends on the display's settings. */
async function introduce() {
  $("curl").textContent = [
    `curl ${absolute()} \\`,
    '  -H "ce-id: $RANDOM$RANDOM" \\',
    "  -H 'ce-specversion: 1.0' -H 'ce-source: /by/hand' -H 'ce-type: hello' \\",
    "  -H 'content-type: application/json' -d '{\"message\": \"Hello from the command line\"}'",
  ].join("\n");
  const about = await (await api("api/about")).json();
  service = about.service;
  for (const element of document.querySelectorAll(".service")) element.textContent = about.service;
  past.isKept = about.file;
  if (about.deadLetters) deadLetters = new DeadLetters(about.deadLetters, about.send);
  if (!about.send) return;
  const sender = new Send(about.send, (source, id) =>
    [...rows.values()].findLast((row) => row.id === id && row.source === source),
  );
  send = sender;
  $("copies").append(
    button("Replay", async () => {
      sender.fill(await detail.copied(structured));
      show("send");
    }),
  );
}

if (IS_WALL) arrangeWall();
$("filter-button").addEventListener("click", () => {
  $("filter-button").ariaExpanded = String(body.classList.toggle("filtering"));
});
look();
introduce().catch(() => {}); // the names in the text stay as they are
