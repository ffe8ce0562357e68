// The page: puts the stream, the table and the open event together.

import { follow } from "./stream.js";
import { Table } from "./table.js";
import { Detail } from "./detail.js";

const body = document.body;
const $ = (id) => document.getElementById(id);

const detail = new Detail($("detail"), () => table.select(null));
const table = new Table($("rows"), (event) => detail.open(event));

/** seq → row, as the server holds them; bounded by the server's capacity. */
const events = new Map();
let capacity = Infinity;
let listed = false;

function show() {
  const count = events.size;
  body.dataset.held = count;
  $("count").textContent = count === 1 ? "1 event" : `${count.toLocaleString()} events`;
  $("events").setAttribute("aria-rowcount", count + 1);
  $("events").hidden = count === 0;
  $("empty").hidden = count > 0 || !listed;
  table.show(events);
}

follow("api/events", {
  reset({ capacity: most, missed }) {
    events.clear();
    capacity = most;
    $("missed").hidden = !missed;
    $("missed").textContent =
      `${missed.toLocaleString()} changes came while this page was not connected, and some are no longer held.`;
  },
  rows(rows) {
    for (const row of rows) events.set(row.seq, row);
    // The oldest are first, in the order in which they were set.
    for (const seq of events.keys()) {
      if (events.size <= capacity) break;
      events.delete(seq);
    }
  },
  settled() {
    listed = true;
    show();
  },
  connection(state, words) {
    body.dataset.connection = state;
    $("connection").textContent = words;
  },
});

$("curl").textContent = [
  `curl ${new URL(".", location.href)} \\`,
  "  -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /by/hand' -H 'ce-type: hello' \\",
  "  -H 'content-type: application/json' -d '{\"message\": \"Hello from the command line\"}'",
].join("\n");

show();
