// Follows the server's stream of rows, reconnects, and says in words how that goes.

import { timeOfDay } from "./format.js";

const UNNOTICED_MS = 1000; // between two streams, if the first told all that it had to
const OFFLINE_AFTER_MS = 10_000;
const WAITS_MS = [250, 1000, 2000, 3000, 5000, 8000];

/**
 * Calls `on.reset(about)` where the page has to start afresh, `on.missed(changes)` where it has to leave a hole,
 * `on.rows(rows)` with what changed, oldest change first, `on.state(numbers)`, `on.resumed(since)` when the stream is open
 * again, and `on.connection(state, words)` with live, reconnecting or offline.
 */
export function follow(address, on) {
  let lastId = "";
  let lostAt = null;
  let tries = 0;
  let timer = null;
  let stream = null;

  function words(nextAt) {
    const seconds = Math.max(0, Math.ceil((nextAt - Date.now()) / 1000));
    if (Date.now() - lostAt < OFFLINE_AFTER_MS && navigator.onLine) {
      on.connection("reconnecting", seconds ? `reconnecting in ${seconds} s` : "reconnecting");
    } else {
      on.connection(
        "offline",
        `offline since ${timeOfDay(lostAt)}, ${seconds ? `next try in ${seconds} s` : "trying"}`,
      );
    }
  }

  function retry() {
    // Not all pages at once when the display is back.
    const wait = WAITS_MS[Math.min(tries++, WAITS_MS.length - 1)] * (0.8 + 0.4 * Math.random());
    const nextAt = Date.now() + wait;
    clearTimeout(timer);
    (function tick() {
      words(nextAt);
      const left = nextAt - Date.now();
      timer = left > 0 ? setTimeout(tick, Math.min(left, 1000)) : setTimeout(open);
    })();
  }

  function open() {
    stream?.close();
    stream = new EventSource(lastId ? `${address}?after=${encodeURIComponent(lastId)}` : address);
    stream.onopen = () => {
      clearTimeout(timer);
      on.connection("live", "live");
      if (lostAt && lastId) on.resumed(lostAt);
      lostAt = null;
    };
    const listen = (kind, act) =>
      stream.addEventListener(kind, (message) => {
        act(JSON.parse(message.data));
        if (message.lastEventId) lastId = message.lastEventId;
      });
    listen("reset", on.reset);
    listen("missed", on.missed);
    listen("message", on.rows);
    listen("state", (numbers) => {
      tries = 0;
      on.state(numbers);
    });
    listen("end", () => {
      const endedAt = Date.now();
      timer = setTimeout(() => {
        lostAt = endedAt;
        words(endedAt);
      }, UNNOTICED_MS);
      open();
    });
    stream.onerror = () => {
      stream.close();
      lostAt ??= Date.now();
      retry();
    };
  }

  addEventListener("online", () => {
    if (!lostAt || !timer) return;
    clearTimeout(timer);
    open();
  });
  open();
}
