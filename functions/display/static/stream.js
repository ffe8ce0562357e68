// Follows the server's stream of rows, reconnects, and says in words how that goes.

const RETRY_MS = 3000;
const OFFLINE_AFTER_MS = 10000;

/**
 * Calls `on.reset({capacity, missed})` where the page has to start afresh, `on.rows(rows)` with what changed, oldest change
 * first, `on.settled()` once in a frame after either, and `on.connection(state, words)`.
 */
export function follow(address, on) {
  let lastId = "";
  let lostAt = null;
  let due = false;

  function settle() {
    if (due) return;
    due = true;
    // A burst is painted once. A hidden tab gets no frames, and catches up when it is looked at.
    requestAnimationFrame(() => {
      due = false;
      on.settled();
    });
  }

  function lost() {
    lostAt ??= Date.now();
    if (Date.now() - lostAt < OFFLINE_AFTER_MS) return on.connection("reconnecting", "reconnecting");
    const since = new Date(lostAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    on.connection("offline", `offline since ${since}, still trying`);
  }

  function open() {
    const stream = new EventSource(lastId ? `${address}?after=${encodeURIComponent(lastId)}` : address);
    stream.onopen = () => {
      lostAt = null;
      on.connection("live", "live");
      settle();
    };
    stream.addEventListener("reset", (message) => {
      on.reset(JSON.parse(message.data));
      settle();
    });
    stream.onmessage = (message) => {
      lastId = message.lastEventId;
      on.rows(JSON.parse(message.data));
      settle();
    };
    stream.onerror = () => {
      lost();
      // The browser retries by itself when a stream ends, but not when it was refused.
      if (stream.readyState === EventSource.CLOSED) setTimeout(open, RETRY_MS);
    };
  }

  open();
}
