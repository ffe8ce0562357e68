// The page: puts the stream, the rows, what is looked for, the table and the open event together.

import { $, absolute, api, button, soon } from "./dom.js";
import { Detail } from "./detail.js";
import { Find } from "./find.js";
import { dateAndTime, number, SEVERITIES, timeOfDay } from "./format.js";
import { listen } from "./keys.js";
import { Letters } from "./letters.js";
import { Query } from "./query.js";
import { Refused } from "./refused.js";
import { Rows } from "./rows.js";
import { Send } from "./send.js";
import { follow } from "./stream.js";
import { Strip } from "./strip.js";
import { Table } from "./table.js";
import { structured } from "./trigger.js";

const DIVIDERS = 20;

const body = document.body;
const rows = new Rows();
const query = new Query();
let tests; // whether a row is looked for
let visible = []; // what the table shows: rows and dividers, oldest first
let waiting = []; // what is looked for and arrived while the view is held still
let dividers = [];
let paused = false;
let listed = false; // whether the server has said what it holds
let state = {};
let connection = ["connecting", "connecting"];
let send = null; // what sends events, if that is allowed
let letters = null; // the dead letters, if there is a deadletter function
let cutAt = null; // {seq, since}: where the stream was cut, until it brings something new

// ── what is looked for ──

const find = new Find(query, (typing) => {
  const address = `${location.pathname}?${query.write()}`.replace(/\?$/, "");
  if (typing) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  look();
});

addEventListener("popstate", look);

function look() {
  query.read(new URLSearchParams(location.search));
  tests = query.tests();
  find.show();
  table.dress(query.view, query.utc);
  const all = survey().concat(dividers).sort(bySeq);
  if (paused) {
    visible = all.filter((entry) => entry.seq <= paused.seq);
    waiting = all.filter((entry) => entry.seq > paused.seq);
  } else {
    visible = all;
    waiting = [];
  }
  table.toTop();
  paint();
}

const bySeq = (one, other) => one.seq - other.seq;

// ── the table ──

const table = new Table($("scroller"), $("heading"), $("rows"), {
  open: (row) => detail.open(row, query.utc),
  filter: (field, value, exclude) => find.toggle(field, value, exclude),
  scroll: () => table.isAtTop && waiting.length && paintSoon(),
});

const detail = new Detail({
  filter: (field, value, exclude) => find.toggle(field, value, exclude),
  close() {
    const index = table.indexOf(table.selected);
    table.select(null);
    if (index >= 0) table.focus(index);
  },
});

function arrived(fresh) {
  for (const row of fresh) if (tests.all(row)) waiting.push(row);
}

function paint() {
  const holding = paused || !table.isAtTop;
  if (!holding && waiting.length) {
    const inOrder = !visible.length || waiting[0].seq > visible.at(-1).seq;
    visible = visible.concat(waiting);
    if (!inOrder || waiting.some((entry, index) => index && entry.seq < waiting[index - 1].seq)) visible.sort(bySeq);
    waiting = [];
  }
  if (!holding && visible[0]?.gone) visible = visible.filter((entry) => !entry.gone);
  if (visible !== table.entries) table.show(visible);
  else table.paint();
  $("new").hidden = !waiting.length;
  $("new").textContent = `${number(waiting.length)} new`;
  const shown = visible.length > 0;
  $("empty").hidden = rows.size > 0 || !listed;
  $("nothing").hidden = shown || rows.size === 0;
  $("table").hidden = rows.size === 0;
  body.dataset.held = rows.size;
}

const paintSoon = soon(paint);

function toNewest() {
  if (paused) pause();
  table.toTop();
  paint();
}

function pause() {
  paused = paused ? false : { seq: rows.last };
  $("pause").ariaPressed = String(Boolean(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  sayConnection();
  paint();
}

// ── numbers ──

const strip = new Strip($("strip"), $("rate"), (from, to) => {
  Object.assign(query, { from, to, minutes: null });
  find.changed();
});

/**
 * All rows that are looked for. What is counted on the way is shown: by time, severity and type, each whatever is chosen
 * of itself, so that the counts say what choosing another would show.
 */
function survey() {
  const found = [];
  const bySeverity = Object.fromEntries(SEVERITIES.map((name) => [name, 0]));
  const byType = new Map();
  strip.begin();
  for (const row of rows.values()) {
    if (!tests.values(row)) continue;
    const isOfType = tests.type(row);
    if (isOfType) strip.count(row);
    if (!tests.time(row)) continue;
    if (isOfType) bySeverity[row.severity]++;
    if (!tests.severity(row)) continue;
    byType.set(row.type, (byType.get(row.type) ?? 0) + 1);
    if (isOfType) found.push(row);
  }
  find.count(bySeverity, byType, found.length, rows.size);
  strip.show(query.from, query.to, query.utc);
  sayState();
  return found;
}

const surveySoon = soon(survey, 400);

function sayState() {
  if (!listed) return;
  const { received, held, oldest, gaps, refused: rejected } = state;
  const words = [`${number(held)} kept of ${number(received)}`];
  if (oldest) words.push(`oldest ${timeOfDay(oldest, query.utc)}`);
  words.push(`${number(gaps)} ${gaps === 1 ? "gap" : "gaps"}`, `${number(rejected)} rejected`);
  $("state").textContent = words.join(", ");
  $("state").title = oldest ? `the oldest arrived ${dateAndTime(oldest, query.utc)}` : "";
}

setInterval(survey, 10_000); // time goes on without events, too
setInterval(() => query.minutes && !paused && table.isAtTop && look(), 10_000);

// ── the stream ──

const refused = new Refused();

follow(absolute("api/events"), {
  reset({ columns }) {
    const lost = rows.size;
    rows.columns = columns;
    rows.clear();
    rows.last = 0;
    visible = [];
    waiting = [];
    dividers = [];
    cutAt = null;
    paused &&= { seq: 0 };
    if (lost)
      divide(
        0,
        `the display was started anew: ${number(lost)} ${lost === 1 ? "event" : "events"} shown before ${lost === 1 ? "is" : "are"} no longer held`,
      );
  },
  missed(changes) {
    rows.clear();
    visible = [];
    waiting = [];
    dividers = [];
    cutAt = null;
    divide(
      rows.last,
      `${number(changes)} ${changes === 1 ? "event" : "events"} came in between and ${changes === 1 ? "is" : "are"} no longer held`,
    );
  },
  resumed(since) {
    cutAt = { seq: rows.last, since };
  },
  rows(lists) {
    const repeated = lists.map(([seq]) => rows.get(seq)).filter(Boolean);
    const fresh = rows.take(lists);
    for (const row of repeated) table.refresh(row);
    if (cutAt && fresh.length) {
      divide(
        cutAt.seq,
        `not connected from ${timeOfDay(cutAt.since, query.utc)} to ${timeOfDay(Date.now(), query.utc)}; what came in between is above`,
      );
      cutAt = null;
    }
    arrived(fresh);
    send?.arrived();
    paintSoon();
    surveySoon();
  },
  state(numbers) {
    state = numbers;
    listed = true;
    rows.keep(numbers.held);
    refused.counted(numbers.refused, query.utc);
    paintSoon();
    surveySoon();
  },
  connection(name, words) {
    connection = [name, words];
    sayConnection();
  },
});

/** Put a line with *words* above the row number *seq*. */
function divide(seq, words) {
  const line = { divider: words, seq: seq + 0.5 };
  dividers = [...dividers.slice(1 - DIVIDERS), line];
  waiting.push(line);
}

function sayConnection() {
  const [name, words] = connection;
  const still = paused && name === "live";
  body.dataset.connection = still ? "paused" : name;
  $("connection").textContent = still ? "paused" : words;
}

// ── everything else on the page ──

const PAGES = ["events", "refused", "letters", "send"];

for (const tab of PAGES) {
  $(`show-${tab}`).addEventListener("click", () => show(tab));
}

function show(tab) {
  for (const name of PAGES) {
    $(`show-${name}`).ariaSelected = String(name === tab);
    $(`show-${name}`).tabIndex = name === tab ? 0 : -1;
    $(name).hidden = name !== tab;
  }
  body.dataset.tab = tab;
  if (tab !== "events") detail.close();
  if (tab === "refused") refused.load();
  if (tab === "letters") letters.show(query.utc);
  if (tab === "events") paint();
}

$("tabs").addEventListener("keydown", (key) => {
  if (key.key !== "ArrowRight" && key.key !== "ArrowLeft") return;
  const tabs = [...$("tabs").querySelectorAll("[role=tab]:not([hidden])")];
  const step = key.key === "ArrowRight" ? 1 : tabs.length - 1;
  const next = tabs[(tabs.indexOf(document.activeElement) + step) % tabs.length];
  next.focus();
  next.click();
});

for (const kind of ["jsonl", "csv"]) {
  $(`export-${kind}`).addEventListener("click", async () => {
    $("exports").hidePopover();
    const chosen = visible.filter((entry) => !entry.divider).map((row) => row.seq);
    try {
      const answer = await api(`api/export.${kind}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(chosen),
      });
      const [, name] = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition")) ?? [, `events.${kind}`];
      const link = Object.assign(document.createElement("a"), {
        href: URL.createObjectURL(await answer.blob()),
        download: name,
      });
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      $("count").textContent = `Not exported: ${error.message}`;
    }
  });
}

$("new").addEventListener("click", toNewest);
$("pause").addEventListener("click", pause);

function step(by) {
  table.move(by);
  if (detail.isOpen && table.wantedOrFocused) table.open(table.wantedOrFocused);
}

listen({
  "/": () => $("text").focus(),
  j: () => step(1),
  k: () => step(-1),
  Enter: () => table.wantedOrFocused && table.open(table.wantedOrFocused),
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

async function introduce() {
  $("curl").textContent = [
    `curl ${absolute()} \\`,
    "  -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /by/hand' -H 'ce-type: hello' \\",
    "  -H 'content-type: application/json' -d '{\"message\": \"Hello from the command line\"}'",
  ].join("\n");
  const about = await (await api("api/about")).json();
  for (const name of document.querySelectorAll(".service")) name.textContent = about.service;
  if (about.deadLetters) letters = new Letters(about.deadLetters, about.send);
  if (!about.send) return;
  send = new Send(about.send, (source, id) =>
    [...rows.values()].findLast((row) => row.id === id && row.source === source),
  );
  $("copies").append(
    button("Replay", async () => {
      send.fill(await detail.copied(structured));
      show("send");
    }),
  );
}

look();
introduce().catch(() => {}); // the names in the text stay as they are
