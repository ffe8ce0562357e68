// Follows the server's stream of rows, reconnects, and reports the connection: by what arrives, not by what was opened.

import { api, messageOf } from "./dom.js";
import { exactTimeOfDay, inWhole } from "./format.js";

const UNNOTICED_MS = 1000; // between two streams, if the first sent everything
const OFFLINE_AFTER_MS = 10_000;
const BACKOFF_MS = [250, 1000, 2000, 3000, 5000, 8000];

// The server sends something every 2 s (viewers.py).
const SILENT_AFTER_MS = 5000;
const CUT_AFTER_MS = 10_000;
const ATTEMPT_MS = 8000;

/**
 * @typedef {object} StreamListeners
 * @property {(about: { columns: string[] }) => void} reset called when the page has to drop all rows
 * @property {(changes: number) => void} missed called when that many changes are no longer held, before all rows
 * @property {(lists: unknown[][]) => void} rows called with changed rows, the oldest change first
 * @property {(lists: unknown[][]) => void} older called with rows that changed before all that the page has
 * @property {(numbers: Numbers) => void} numbers called with the server's counts
 * @property {(now: number) => void} beat called with the display's time in ms since 1970, every 2 s if nothing is new
 * @property {(since: number) => void} resumed called when the stream is open again, with the time when it was cut
 * @property {(name: string, words: string) => void} connection called with live, silent, reconnecting, offline or
 *   rejected, and in words
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
  let reason = "";
  let isOpen = false;
  let isSilent = false;
  let heardAt = Date.now();
  let attemptAt = Date.now();
  /** @type {EventSource | null} */
  let stream = null;

  /** @param {number} nextAt */
  function report(nextAt) {
    const seconds = Math.max(0, Math.ceil((nextAt - Date.now()) / 1000));
    const next = seconds ? `next attempt in ${seconds} s` : "connecting";
    if (reason) on.connection("rejected", `${reason}, ${next}`);
    else if (Date.now() - lostAt < OFFLINE_AFTER_MS && navigator.onLine) {
      on.connection("reconnecting", seconds ? `reconnecting in ${seconds} s` : "reconnecting");
    } else on.connection("offline", `offline since ${exactTimeOfDay(lostAt)}, ${next}`);
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

  /** @param {number} since */
  function lose(since) {
    stream?.close();
    stream = null;
    isOpen = false;
    lostAt ||= since;
    retry();
  }

  /** Ask for the reason why the stream does not open: an EventSource does not report it. */
  async function explain() {
    reason = "";
    const probe = new AbortController();
    const timeout = setTimeout(() => probe.abort(), ATTEMPT_MS);
    try {
      await api(address, { signal: probe.signal });
    } catch (error) {
      if (!probe.signal.aborted && !(error instanceof TypeError)) reason = messageOf(error);
    }
    clearTimeout(timeout);
    probe.abort(); // it opens now: leave the place to the stream
  }

  function end() {
    const endedAt = Date.now();
    isOpen = false;
    timer = setTimeout(() => {
      lostAt = endedAt;
      report(endedAt);
    }, UNNOTICED_MS);
    open();
  }

  function hear() {
    heardAt = Date.now();
    if (isSilent) on.connection("live", "live");
    isSilent = false;
  }

  function open() {
    stream?.close();
    const opened = new EventSource(lastId ? `${address}?after=${encodeURIComponent(lastId)}` : address);
    stream = opened;
    attemptAt = Date.now();
    opened.onopen = () => {
      clearTimeout(timer);
      isOpen = true;
      isSilent = false;
      reason = "";
      heardAt = Date.now();
      on.connection("live", "live");
      if (lostAt && lastId) on.resumed(lostAt);
      lostAt = 0;
    };
    /** @type {Record<string, (data: any) => void>} what the server sends is as it says: JSON of these shapes */
    const listeners = {
      reset: on.reset,
      missed: on.missed,
      message: on.rows,
      older: on.older,
      beat: on.beat,
      state: (numbers) => {
        attempts = 0;
        on.numbers(numbers);
      },
      end,
    };
    for (const [name, act] of Object.entries(listeners)) {
      opened.addEventListener(name, (message) => {
        hear();
        act(JSON.parse(message.data));
        if (message.lastEventId) lastId = message.lastEventId;
      });
    }
    opened.onerror = async () => {
      if (opened !== stream) return;
      const wasOpen = isOpen;
      opened.close();
      stream = null;
      isOpen = false;
      lostAt ||= Date.now();
      if (!wasOpen) await explain();
      lose(lostAt);
    };
  }

  let checkedAt = Date.now();
  setInterval(() => {
    const now = Date.now();
    // The page itself was stopped, as in a sleeping laptop: what arrived meanwhile is not read yet.
    if (now - checkedAt > 3000) heardAt = attemptAt = now;
    checkedAt = now;
    const silence = now - heardAt;
    if (stream && !isOpen && now - attemptAt > ATTEMPT_MS) lose(attemptAt);
    else if (isOpen && silence > CUT_AFTER_MS) lose(heardAt);
    else if (isOpen && silence > SILENT_AFTER_MS) {
      isSilent = true;
      on.connection("silent", `no sign of life for ${inWhole(silence)}`);
    }
  }, 1000);

  addEventListener("online", () => {
    if (!lostAt || !timer) return;
    clearTimeout(timer);
    open();
  });
  open();
}
