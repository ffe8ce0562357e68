// Follows the server's stream of rows, reconnects, and reports the connection.

import { timeOfDay } from "./format.js";

const UNNOTICED_MS = 1000; // between two streams, if the first sent everything
const OFFLINE_AFTER_MS = 10_000;
const BACKOFF_MS = [250, 1000, 2000, 3000, 5000, 8000];

/**
 * @typedef {object} StreamListeners
 * @property {(about: { columns: string[] }) => void} reset called when the page has to drop all rows
 * @property {(changes: number) => void} missed called when that many changes are no longer held, before all rows
 * @property {(lists: unknown[][]) => void} rows called with changed rows, the oldest change first
 * @property {(numbers: Numbers) => void} numbers called with the server's counts
 * @property {(since: number) => void} resumed called when the stream is open again, with the time when it was cut
 * @property {(name: string, words: string) => void} connection called with live, reconnecting or offline, and in words
 */

/**
 * Follow the stream at *address* until the page is closed.
 * @param {string} address
 * @param {StreamListeners} on
 */
export function follow(address, on) {
  let lastId = "";
  let lostAt = 0;
  let attempts = 0;
  let timer = 0;
  /** @type {EventSource | null} */
  let stream = null;

  /** @param {number} nextAt */
  function report(nextAt) {
    const seconds = Math.max(0, Math.ceil((nextAt - Date.now()) / 1000));
    if (Date.now() - lostAt < OFFLINE_AFTER_MS && navigator.onLine) {
      on.connection("reconnecting", seconds ? `reconnecting in ${seconds} s` : "reconnecting");
    } else {
      const next = seconds ? `next attempt in ${seconds} s` : "connecting";
      on.connection("offline", `offline since ${timeOfDay(lostAt)}, ${next}`);
    }
  }

  function retry() {
    // Not all pages at the same time when the display is back.
    const wait = BACKOFF_MS[Math.min(attempts++, BACKOFF_MS.length - 1)] * (0.8 + 0.4 * Math.random());
    const nextAt = Date.now() + wait;
    clearTimeout(timer);
    (function tick() {
      report(nextAt);
      const left = nextAt - Date.now();
      timer = left > 0 ? setTimeout(tick, Math.min(left, 1000)) : setTimeout(open);
    })();
  }

  function end() {
    const endedAt = Date.now();
    timer = setTimeout(() => {
      lostAt = endedAt;
      report(endedAt);
    }, UNNOTICED_MS);
    open();
  }

  function open() {
    stream?.close();
    const opened = new EventSource(lastId ? `${address}?after=${encodeURIComponent(lastId)}` : address);
    stream = opened;
    opened.onopen = () => {
      clearTimeout(timer);
      on.connection("live", "live");
      if (lostAt && lastId) on.resumed(lostAt);
      lostAt = 0;
    };
    /** @type {Record<string, (data: any) => void>} what the server sends is as it says: JSON of these shapes */
    const listeners = {
      reset: on.reset,
      missed: on.missed,
      message: on.rows,
      state: (numbers) => {
        attempts = 0;
        on.numbers(numbers);
      },
      end,
    };
    for (const [name, act] of Object.entries(listeners)) {
      opened.addEventListener(name, (message) => {
        act(JSON.parse(message.data));
        if (message.lastEventId) lastId = message.lastEventId;
      });
    }
    opened.onerror = () => {
      opened.close();
      lostAt ||= Date.now();
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
