// Dead letters: what the Broker could not deliver, why, and what becomes of it.

import { $, api, button, make, openable, pairs } from "./dom.js";
import { dateAndTime, duration, number, shortType } from "./format.js";
import { showPayload } from "./payload.js";

const STATES = ["waiting", "redriven", "dropped"];
const NONE = {
  waiting: "No dead letters: every event was delivered, or is still being tried.",
  redriven: "None was redriven.",
  dropped: "None was dropped.",
};
const PAGE = 100;
const PAGE_MOST = 1000;
const LOOK_MS = 5000;
const COUNT_EVERY = 6; // looks, while another tab is shown
const AT_ONCE = { redrive: 5, drop: 200 }; // events a request: it has to be answered in time

export class Letters {
  /** *address* is the deadletter function's, *allowed* {token} if letters may be redriven and dropped from here. */
  constructor(address, allowed) {
    Object.assign(this, { allowed, utc: false, state: "waiting", limit: PAGE, looks: 0 });
    this.letters = [];
    this.items = new Map(); // number → {element, version, age, box}: one that is open stays open
    this.chosen = new Set();
    this.running = null; // {stopped} while letters are being redriven or dropped
    $("show-letters").hidden = false;
    for (const state of STATES) $(`letters-${state}`).addEventListener("click", () => this.choose(state));
    $("letters-of").addEventListener("change", () => this.choose(this.state));
    $("letters-more").addEventListener("click", () => {
      this.limit = Math.min(this.limit + PAGE, PAGE_MOST);
      this.load();
    });
    $("letters-acts").hidden = $("letters-all").parentElement.hidden = !allowed;
    $("letters-result").hidden = !allowed;
    $("letters-curl").textContent = [
      `curl ${address}/api/dead-letters/redrive --json '{"all": true}'`,
      `curl ${address}/api/dead-letters/drop --json '{"numbers": [7], "reason": "the VM is gone"}'`,
    ].join("\n");
    $("letters-all").addEventListener("change", () => {
      this.chosen = new Set($("letters-all").checked ? this.letters.map((each) => each.number) : []);
      this.count();
    });
    $("redrive").addEventListener("click", () =>
      this.act(
        "redrive",
        this.letters.filter((each) => this.chosen.has(each.number)),
      ),
    );
    $("drop").addEventListener("click", () => this.drop(this.letters.filter((each) => this.chosen.has(each.number))));
    $("redrive-all").addEventListener("click", () => this.redriveAll());
    $("letters-stop").addEventListener("click", () => (this.running.stopped = true));
    setInterval(() => this.look(), LOOK_MS);
  }

  /** Look for letters that came meanwhile: those listed if they are seen, else how many there are. */
  look() {
    if (document.hidden || this.running) return;
    if (!$("letters").hidden) this.load();
    else if (this.looks++ % COUNT_EVERY === 0)
      this.ask({ state: "waiting", limit: 1 }).then(
        ({ counts }) => this.counted(counts),
        () => {},
      );
  }

  show(utc) {
    if (utc !== this.utc) this.items.clear();
    this.utc = utc;
    this.load();
  }

  choose(state) {
    this.state = state;
    this.limit = PAGE;
    this.chosen.clear();
    this.load();
  }

  get selection() {
    return { state: this.state, destination: $("letters-of").value };
  }

  async ask(selection) {
    return (await api(`api/dead-letters?${new URLSearchParams(selection)}`)).json();
  }

  async load() {
    const { selection, limit } = this;
    const none = $("letters-none");
    try {
      const { deadLetters: letters, counts, next } = await this.ask({ ...selection, limit });
      if (selection.state !== this.state || selection.destination !== $("letters-of").value) return; // another was chosen meanwhile
      this.list(letters);
      this.counted(counts);
      none.hidden = letters.length > 0;
      none.textContent = NONE[this.state];
      $("letters-more").hidden = next === null || limit === PAGE_MOST;
    } catch (error) {
      none.hidden = false;
      none.textContent = `Not listed: ${error.message}`;
    }
  }

  list(letters) {
    this.letters = letters;
    const there = new Set(letters.map((each) => each.number));
    this.chosen = new Set([...this.chosen].filter((each) => there.has(each)));
    const items = letters.map((each) => [each.number, this.item(each)]);
    this.items = new Map(items);
    const elements = items.map(([, item]) => item.element);
    for (const gone of [...$("letter-list").children].filter((each) => !elements.includes(each))) gone.remove();
    elements.forEach((each, index) => {
      // What is in its place stays there: moved, it would lose the focus.
      if ($("letter-list").children[index] !== each)
        $("letter-list").insertBefore(each, $("letter-list").children[index] ?? null);
    });
    $("letters-head").hidden = !letters.length;
    $("letters-how").hidden = Boolean(this.allowed) || !letters.length;
    for (const { destination } of letters) {
      if (![...$("letters-of").options].some((option) => option.value === destination)) {
        $("letters-of").append(make("option", { value: destination }, nameOf(destination)));
      }
    }
    $("letters-of").hidden = $("letters-of").options.length < 3;
    this.count();
  }

  counted(counts) {
    for (const state of STATES) {
      $(`letters-${state}`).ariaPressed = String(state === this.state);
      $(`letters-${state}-count`).textContent = number(counts[state]);
    }
    $("letters-count").textContent = counts.waiting ? number(counts.waiting) : "";
    $("letters-unstored").hidden = !counts.unstored;
    $("letters-unstored").textContent =
      `${number(counts.unstored)} could not be stored, and stand whole in the deadletter function's log.`;
  }

  /** Say what is chosen, and what can be done with it. */
  count() {
    const { size } = this.chosen;
    for (const [each, item] of this.items) if (item.box) item.box.checked = this.chosen.has(each);
    $("letters-all").checked = size > 0 && size === this.letters.length;
    $("letters-all").indeterminate = size > 0 && size < this.letters.length;
    $("redrive").textContent = size ? `Redrive ${number(size)}` : "Redrive";
    $("drop").textContent = size ? `Drop ${number(size)}…` : "Drop…";
    $("redrive").disabled = $("drop").disabled = !size || Boolean(this.running);
    $("drop").hidden = $("redrive-all").hidden = this.state !== "waiting";
    $("redrive-all").disabled = !this.letters.length || Boolean(this.running);
    $("letters-stop").hidden = !this.running;
  }

  item(each) {
    const version = JSON.stringify(each);
    let item = this.items.get(each.number);
    if (item?.version !== version) {
      const wasOpen = item?.element.querySelector("details").open;
      item = this.made(each);
      item.version = version;
      if (wasOpen) item.element.querySelector("details").open = true;
    }
    item.age.textContent = duration(Date.now() - Date.parse(each.firstFailed));
    return item;
  }

  made(each) {
    const age = make("span", { class: "age" });
    const words = `${shortType(each.type)} ${each.subject}`;
    const cells = [
      make("span", { class: "time" }, this.moment(each.time) || "it does not say"),
      make(
        "span",
        { class: "what", title: words },
        shortType(each.type),
        " ",
        make("span", { class: "faint" }, each.subject),
      ),
      make("span", { class: "reason", title: each.response }, reason(each)),
      make("span", { class: "often" }, times(each.failures)),
      make("span", { class: "since" }, this.moment(each.firstFailed)),
      age,
    ];
    const element = make(
      "li",
      {},
      openable(cells, () => this.opened(each)),
    );
    let box = null;
    if (this.allowed) {
      const toggle = () => {
        if (box.checked) this.chosen.add(each.number);
        else this.chosen.delete(each.number);
        this.count();
      };
      box = make("input", { type: "checkbox", onchange: toggle, ariaLabel: `choose ${words}` });
      element.prepend(box);
    }
    return { element, age, box };
  }

  moment(time) {
    return dateAndTime(Date.parse(time), this.utc, time);
  }

  /** What is shown of a letter when it is opened: why it failed, and the event. */
  opened(each) {
    const facts = {
      Subscriber: each.destination || "the Broker does not say",
      Answered: each.code ?? "not at all",
      "In its words": each.response,
      Failed: `${times(each.failures)}${each.failures > 1 ? `, last ${this.moment(each.lastFailed)}` : ""}`,
      Redriven: each.redrives ? times(each.redrives) : "",
      [each.state === "dropped" ? "Dropped because" : "Last redrive"]: each.note,
    };
    const inside = make("div", {});
    if (this.allowed) {
      inside.append(
        make(
          "div",
          { class: "bar" },
          button("Redrive", () => this.act("redrive", [each])),
          ...(each.state === "waiting" ? [button("Drop…", () => this.drop([each]))] : []),
        ),
      );
    }
    const event = make("div", {}, make("p", { class: "faint" }, "loading"));
    inside.append(make("dl", {}, ...pairs(Object.entries(facts).filter(([, value]) => value !== ""))), event);
    this.event(event, each.number);
    return inside;
  }

  async event(place, letter) {
    try {
      const { attributes, payload } = (await (await api(`api/dead-letters/${letter}`)).json()).event;
      const shown = make("div", {});
      showPayload(shown, { attributes, text: payload, size: payload.length, laidOut: true });
      place.replaceChildren(
        make("h3", {}, "Attributes"),
        make("dl", { class: "attributes" }, ...pairs(Object.entries(attributes))),
        make("h3", {}, "Payload"),
        shown,
      );
    } catch (error) {
      place.replaceChildren(make("p", { class: "bad" }, `Not shown in full: ${error.message}`));
    }
  }

  // ── what becomes of them ──

  async redriveAll() {
    const { destination } = this.selection;
    const waiting = await this.waiting(destination).catch((error) => this.say(`Not redriven: ${error.message}`));
    if (!waiting) return;
    const sure = await confirmed(
      `Redrive ${counted(waiting.length)}?`,
      `${destination ? `All that failed at ${nameOf(destination)}` : "All that are waiting"} are sent to the Broker again, and so to every Trigger that selects them.`,
      "Redrive",
    );
    if (sure) await this.act("redrive", waiting);
  }

  /** All waiting letters, not only those listed. */
  async waiting(destination) {
    const found = [];
    let page = { next: "" };
    while (page.next !== null) {
      page = await this.ask({ state: "waiting", destination, limit: PAGE_MOST, before: page.next });
      found.push(...page.deadLetters);
    }
    return found.reverse(); // oldest first, as they happened
  }

  async drop(letters) {
    const sure = await confirmed(
      `Drop ${counted(letters.length)}?`,
      "Dropped letters are not delivered any more. They stay listed under Dropped, from where they can still be redriven until they make room for others.",
      "Drop",
      true,
    );
    if (sure) await this.act("drop", letters, sure);
  }

  /** Redrive or drop *letters*, some at a time, and say how that goes. */
  async act(verb, letters, why) {
    if (this.running) return;
    const done = verb === "drop" ? "dropped" : "redriven";
    const running = (this.running = { stopped: false });
    const failures = new Map(); // reason → how many
    let [succeeded, tried] = [0, 0];
    let fault = "";
    this.count();
    for (const part of parts(letters, AT_ONCE[verb])) {
      this.say(`${verb === "drop" ? "Dropping" : "Redriving"}: ${number(tried)} of ${number(letters.length)}`);
      try {
        const answer = await (
          await api(`api/dead-letters/${verb}`, {
            method: "POST",
            headers: { "content-type": "application/json", "x-send-token": this.allowed.token },
            body: JSON.stringify({ numbers: part, ...(why && { reason: why }) }),
          })
        ).json();
        succeeded += answer[done].length;
        for (const { reason: words } of answer.failed) failures.set(words, (failures.get(words) ?? 0) + 1);
      } catch (error) {
        fault = error.message;
      }
      tried += part.length;
      if (fault || running.stopped) break;
    }
    const words = [
      succeeded === letters.length
        ? `${number(succeeded)} ${done}`
        : `${number(succeeded)} of ${number(letters.length)} ${done}`,
    ];
    for (const [why_, many] of failures) words.push(`${number(many)} refused: ${why_}`);
    if (fault) words.push(`then it stopped: ${fault}`);
    if (tried < letters.length) words.push(`${number(letters.length - tried)} not tried`);
    this.running = null;
    this.chosen.clear();
    this.say(words.join("; "), succeeded < letters.length);
    await this.load();
    this.count();
    // What was pressed may be gone or disabled: the keyboard goes on from here.
    if (document.activeElement === document.body || document.activeElement.disabled) $(`letters-${this.state}`).focus();
  }

  say(words, isBad = false) {
    $("letters-result").textContent = words;
    $("letters-result").className = isBad ? "bad" : "";
  }
}

/** The numbers of *letters* in lists of about *size*: those of one event together, for together they are sent once. */
function parts(letters, size) {
  const byEvent = new Map();
  for (const { source, id, number: letter } of letters) {
    const key = JSON.stringify([source, id]);
    byEvent.set(key, [...(byEvent.get(key) ?? []), letter]);
  }
  const events = [...byEvent.values()];
  const made = [];
  for (let start = 0; start < events.length; start += size) made.push(events.slice(start, start + size).flat());
  return made;
}

/** Ask whether it is meant; false, or true, or the reason that had to be given. */
function confirmed(title, words, act, needsReason = false) {
  const dialog = $("confirm");
  $("confirm-title").textContent = title;
  $("confirm-words").textContent = words;
  $("confirm-why").hidden = !needsReason;
  $("confirm-reason").value = "";
  $("confirm-act").textContent = act;
  $("confirm-act").disabled = needsReason;
  dialog.returnValue = "";
  dialog.showModal();
  (needsReason ? $("confirm-reason") : $("confirm-act")).focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" && (needsReason ? $("confirm-reason").value.trim() : true)),
      { once: true },
    );
  });
}

$("confirm-reason").addEventListener("input", () => ($("confirm-act").disabled = !$("confirm-reason").value.trim()));
$("confirm-reason").addEventListener("keydown", (key) => {
  if (key.key !== "Enter") return;
  key.preventDefault(); // the key goes on to what has the focus next
  $("confirm-act").click();
});
$("confirm-act").addEventListener("click", () => $("confirm").close("yes"));
$("confirm-cancel").addEventListener("click", () => $("confirm").close());

const times = (many) => (many === 1 ? "once" : `${number(many)} times`);

const counted = (many) => (many === 1 ? "1 letter" : `${number(many)} letters`);

/** "503 from notify: the receiver is away" */
function reason({ code, destination, response }) {
  return `${code ?? "no answer"} from ${nameOf(destination)}${response ? `: ${response}` : ""}`;
}

/** "notify" of a Service in the cluster, else the address without what all have. */
function nameOf(destination) {
  if (!destination) return "an unnamed subscriber";
  return /^https?:\/\/([^./:]+)\.[^/]*\.svc\b/.exec(destination)?.[1] ?? destination.replace(/^https?:\/\/|\/$/g, "");
}
