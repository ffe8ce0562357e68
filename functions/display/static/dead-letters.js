// Dead letters: the events that the Broker could not deliver, with the reason. They can be redriven or dropped.

import { confirmed } from "./confirm.js";
import { $, api, button, make, messageOf, openable, pairs } from "./dom.js";
import { counted, dateAndTime, duration, number, shortType } from "./format.js";
import { showPayload } from "./payload.js";

/** @type {DeadLetterState[]} */
const STATES = ["waiting", "redriven", "dropped"];
/** @type {Record<DeadLetterState, string>} */
const NONE = {
  waiting: "No dead letters: every event was delivered, or is being retried.",
  redriven: "None was redriven.",
  dropped: "None was dropped.",
};
const PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;
const REFRESH_MS = 5000;
const REFRESHES_PER_COUNT = 6; // while another tab is shown

/**
 * How an action is written, and how many events one request may name: it has to be answered in time.
 * @type {Record<DeadLetterAction, { doing: string, done: "redriven" | "dropped", batch: number }>}
 */
const ACTIONS = {
  redrive: { doing: "Redriving", done: "redriven", batch: 5 },
  drop: { doing: "Dropping", done: "dropped", batch: 200 },
};

/**
 * The line of a dead letter. It is reused until the dead letter changes, so that an open one stays open.
 * @typedef {object} Item
 * @property {HTMLElement} element
 * @property {HTMLDetailsElement} details
 * @property {HTMLElement} age
 * @property {HTMLInputElement | null} box
 * @property {string} version
 */

export class DeadLetters {
  /**
   * @param {string} address of the deadletter function
   * @param {Permission | null} permission to redrive and drop
   */
  constructor(address, permission) {
    this.permission = permission;
    this.utc = false;
    /** @type {DeadLetterState} */
    this.state = "waiting";
    this.limit = PAGE_SIZE;
    this.refreshes = 0;
    /** @type {DeadLetter[]} */
    this.listed = [];
    /** @type {Map<number, Item>} */
    this.items = new Map();
    /**
     * The headings of groups, which are reused so that a button keeps the focus.
     * @type {Map<string, HTMLElement>}
     */
    this.headings = new Map();
    /**
     * The numbers of those that are ticked.
     * @type {Set<number>}
     */
    this.chosen = new Set();
    /**
     * The action that is running.
     * @type {{ stopped: boolean } | null}
     */
    this.running = null;
    $("show-dead-letters").hidden = false;
    $("dead-letters-actions").hidden = $("dead-letters-choose-all").hidden = !permission;
    $("dead-letters-result").hidden = !permission;
    $("dead-letters-curl").textContent = [
      `curl ${address}/api/dead-letters/redrive --json '{"all": true}'`,
      `curl ${address}/api/dead-letters/drop --json '{"numbers": [7], "reason": "the VM is gone"}'`,
    ].join("\n");
    this.listen();
    setInterval(() => this.refresh(), REFRESH_MS);
  }

  listen() {
    for (const state of STATES) $(`dead-letters-${state}`).addEventListener("click", () => this.choose(state));
    $("dead-letters-destination").addEventListener("change", () => this.choose(this.state));
    $("dead-letters-more").addEventListener("click", () => {
      this.limit = Math.min(this.limit + PAGE_SIZE, MAX_PAGE_SIZE);
      this.load();
    });
    $("dead-letters-all").addEventListener("change", () => {
      this.chosen = new Set($("dead-letters-all").checked ? this.listed.map(numberOf) : []);
      this.showChosen();
    });
    const chosen = () => this.listed.filter((deadLetter) => this.chosen.has(deadLetter.number));
    $("redrive").addEventListener("click", () => this.act("redrive", chosen()));
    $("drop").addEventListener("click", () => this.drop(chosen()));
    $("redrive-all").addEventListener("click", () => this.redriveAll());
    $("dead-letters-stop").addEventListener("click", () => {
      if (this.running) this.running.stopped = true;
    });
  }

  /** Look for new dead letters: list them if this tab is shown, else only count them. */
  refresh() {
    if (document.hidden || this.running) return;
    if (!$("dead-letters").hidden) this.load();
    else if (this.refreshes++ % REFRESHES_PER_COUNT === 0) {
      this.fetch({ state: "waiting", limit: 1 }).then(
        ({ counts }) => this.showCounts(counts),
        () => {}, // the tab reports it when it is shown
      );
    }
  }

  /** @param {boolean} utc */
  show(utc) {
    if (utc !== this.utc) this.items.clear();
    this.utc = utc;
    this.load();
  }

  /** @param {DeadLetterState} state */
  choose(state) {
    this.state = state;
    this.limit = PAGE_SIZE;
    this.chosen.clear();
    this.load();
  }

  get destination() {
    return $("dead-letters-destination").value;
  }

  /**
   * @param {Record<string, string | number>} selection
   * @returns {Promise<DeadLetterPage>}
   */
  async fetch(selection) {
    const parameters = Object.entries(selection).map(([name, value]) => [name, String(value)]);
    return (await api(`api/dead-letters?${new URLSearchParams(parameters)}`)).json();
  }

  /**
   * The dead letters of the event in *row*. Empty if they cannot be read.
   * @param {Row} row
   * @returns {Promise<DeadLetter[]>}
   */
  async of({ source, id, type }) {
    const pages = STATES.map((state) => this.fetch({ state, type, limit: MAX_PAGE_SIZE }).catch(() => null));
    const all = (await Promise.all(pages)).flatMap((page) => page?.deadLetters ?? []);
    return all.filter((letter) => letter.source === source && letter.id === id);
  }

  async load() {
    const { state, destination, limit } = this;
    const none = $("dead-letters-none");
    try {
      const { deadLetters, counts, next } = await this.fetch({ state, destination, limit });
      if (state !== this.state || destination !== this.destination) return; // the selection changed meanwhile
      this.list(deadLetters);
      this.showCounts(counts);
      none.hidden = deadLetters.length > 0;
      none.textContent = NONE[state];
      $("dead-letters-more").hidden = next === null || limit === MAX_PAGE_SIZE;
    } catch (error) {
      none.hidden = false;
      none.textContent = `Not listed: ${messageOf(error)}`;
    }
  }

  /** @param {DeadLetter[]} deadLetters */
  list(deadLetters) {
    this.listed = deadLetters;
    const numbers = new Set(deadLetters.map(numberOf));
    this.chosen = new Set([...this.chosen].filter((chosen) => numbers.has(chosen)));
    this.items = new Map(deadLetters.map((deadLetter) => [deadLetter.number, this.item(deadLetter)]));
    this.placeItems();
    $("dead-letters-head").hidden = !deadLetters.length;
    $("dead-letters-how").hidden = Boolean(this.permission) || !deadLetters.length;
    const select = $("dead-letters-destination");
    for (const { destination } of deadLetters) {
      if ([...select.options].some((option) => option.value === destination)) continue;
      select.append(make("option", { value: destination }, nameOf(destination)));
    }
    select.hidden = select.options.length < 3;
    this.showChosen();
  }

  /** Put the items into the list. Those that are in their place are not moved: they would lose the focus. */
  placeItems() {
    const list = $("dead-letter-list");
    const elements = this.inGroups();
    for (const child of [...list.children]) {
      if (!elements.some((element) => element === child)) child.remove();
    }
    elements.forEach((element, index) => {
      const there = list.children[index] ?? null;
      if (there !== element) list.insertBefore(element, there);
    });
  }

  /**
   * The elements of the items, grouped by subscriber and reason: a group of several has a heading.
   * @returns {HTMLElement[]}
   */
  inGroups() {
    /** @type {Map<string, DeadLetter[]>} */
    const groups = new Map();
    for (const deadLetter of this.listed) {
      const group = groupOf(deadLetter);
      groups.set(group, [...(groups.get(group) ?? []), deadLetter]);
    }
    const headings = this.headings;
    this.headings = new Map();
    return [...groups].flatMap(([group, members]) => {
      const elements = members.map(({ number: numbered }) => this.items.get(numbered)?.element ?? make("li"));
      if (members.length < 2) return elements;
      const key = `${group} ${members.map(numberOf)}`;
      const heading = headings.get(key) ?? this.heading(members);
      this.headings.set(key, heading);
      return [heading, ...elements];
    });
  }

  /** @param {DeadLetter[]} members of a group, the newest first */
  heading(members) {
    const subscriber = make("strong", {}, nameOf(members[0].destination));
    const words = `${number(members.length)} × ${members[0].code ?? "no response"} from `;
    const reason = make("span", { class: "faint" }, members[0].response ? `: ${members[0].response}` : "");
    const heading = make("li", { class: "group-heading" }, make("span", {}, words, subscriber, reason));
    if (this.permission && this.state === "waiting") {
      const label = `Redrive these ${number(members.length)}`;
      heading.append(button(label, () => this.act("redrive", members), { class: "small" }));
    }
    return heading;
  }

  /** @param {DeadLetterCounts} counts */
  showCounts(counts) {
    for (const state of STATES) {
      $(`dead-letters-${state}`).ariaPressed = String(state === this.state);
      $(`dead-letters-${state}-count`).textContent = number(counts[state]);
    }
    $("dead-letters-count").textContent = counts.waiting ? number(counts.waiting) : "";
    $("dead-letters-unstored").hidden = !counts.unstored;
    $("dead-letters-unstored").textContent =
      `${number(counts.unstored)} could not be stored. The deadletter function's log has them in full.`;
  }

  /** Show which are ticked, and the actions that this allows. */
  showChosen() {
    const { size } = this.chosen;
    for (const [numbered, { box }] of this.items) if (box) box.checked = this.chosen.has(numbered);
    $("dead-letters-all").checked = size > 0 && size === this.listed.length;
    $("dead-letters-all").indeterminate = size > 0 && size < this.listed.length;
    $("redrive").textContent = size ? `Redrive ${number(size)}` : "Redrive";
    $("drop").textContent = size ? `Drop ${number(size)}…` : "Drop…";
    $("redrive").disabled = $("drop").disabled = !size || Boolean(this.running);
    $("drop").hidden = $("redrive-all").hidden = this.state !== "waiting";
    $("redrive-all").disabled = !this.listed.length || Boolean(this.running);
    $("dead-letters-stop").hidden = !this.running;
  }

  /**
   * The item of *deadLetter*: the present one, or a new one if the dead letter changed.
   * @param {DeadLetter} deadLetter
   */
  item(deadLetter) {
    const version = JSON.stringify(deadLetter);
    const present = this.items.get(deadLetter.number);
    const item = present?.version === version ? present : this.newItem(deadLetter, version);
    if (present?.details.open) item.details.open = true;
    item.age.textContent = duration(Date.now() - Date.parse(deadLetter.firstFailed));
    return item;
  }

  /**
   * @param {DeadLetter} deadLetter
   * @param {string} version
   * @returns {Item}
   */
  newItem(deadLetter, version) {
    const { type, subject } = deadLetter;
    const age = make("span", { class: "age" });
    const title = `${shortType(type)} ${subject}`;
    const faintSubject = make("span", { class: "faint" }, subject);
    const cells = [
      make("span", { class: "time" }, this.moment(deadLetter.time) || "no time"),
      make("span", { class: "what", title }, shortType(type), " ", faintSubject),
      make("span", { class: "reason", title: deadLetter.response }, reasonOf(deadLetter)),
      make("span", { class: "often" }, times(deadLetter.failures)),
      make("span", { class: "since" }, this.moment(deadLetter.firstFailed)),
      age,
    ];
    const details = openable(cells, () => this.inside(deadLetter));
    const box = this.permission && this.box(deadLetter, `choose ${title}`);
    return { element: make("li", {}, box ?? "", details), details, age, box, version };
  }

  /**
   * The box that chooses *deadLetter*.
   * @param {DeadLetter} deadLetter
   * @param {string} ariaLabel
   */
  box(deadLetter, ariaLabel) {
    const box = make("input", { type: "checkbox", ariaLabel });
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.add(deadLetter.number);
      else this.chosen.delete(deadLetter.number);
      this.showChosen();
    });
    return box;
  }

  /** @param {string} time */
  moment(time) {
    return dateAndTime(Date.parse(time), this.utc, time);
  }

  /**
   * The inside of an open dead letter: why it failed, and the event.
   * @param {DeadLetter} deadLetter
   */
  inside(deadLetter) {
    const { state, failures, redrives, code, response, destination } = deadLetter;
    /** @type {[string, unknown][]} */
    const facts = [
      ["Subscriber", destination || "the Broker did not report it"],
      ["Response", code ?? "none"],
      ["Message", response],
      ["Failed", `${times(failures)}${failures > 1 ? `, last ${this.moment(deadLetter.lastFailed)}` : ""}`],
      ["Redriven", redrives ? times(redrives) : ""],
      [state === "dropped" ? "Dropped because" : "Last redrive", deadLetter.note],
    ];
    const inside = make("div", {});
    if (this.permission) {
      const actions = [button("Redrive", () => this.act("redrive", [deadLetter]))];
      if (state === "waiting") actions.push(button("Drop…", () => this.drop([deadLetter])));
      inside.append(make("div", { class: "bar" }, ...actions));
    }
    const event = make("div", {}, make("p", { class: "faint" }, "loading"));
    inside.append(make("dl", {}, ...pairs(facts.filter(([, value]) => value !== ""))), event);
    this.loadEvent(event, deadLetter.number);
    return inside;
  }

  /**
   * @param {HTMLElement} place
   * @param {number} numbered
   */
  async loadEvent(place, numbered) {
    try {
      /** @type {{ event: { attributes: Record<string, string>, payload: string } }} */
      const { event } = await (await api(`api/dead-letters/${numbered}`)).json();
      const { attributes, payload } = event;
      const shown = make("div", {});
      showPayload(shown, { attributes, text: payload, size: payload.length, indented: true });
      place.replaceChildren(
        make("h3", {}, "Attributes"),
        make("dl", { class: "attributes" }, ...pairs(Object.entries(attributes))),
        make("h3", {}, "Payload"),
        shown,
      );
    } catch (error) {
      place.replaceChildren(make("p", { class: "bad" }, `Not shown in full: ${messageOf(error)}`));
    }
  }

  // ── actions ──

  async redriveAll() {
    const { destination } = this;
    /** @type {DeadLetter[]} */
    let waiting;
    try {
      waiting = await this.allWaiting(destination);
    } catch (error) {
      return this.report(`Not redriven: ${messageOf(error)}`);
    }
    const which = destination ? `All that failed at ${nameOf(destination)}` : "All that are waiting";
    const reason = await confirmed(
      `Redrive ${counted(waiting.length, "event")}?`,
      `${which} are sent to the Broker again, and so to every Trigger that selects them.`,
      "Redrive",
    );
    if (reason !== null) await this.act("redrive", waiting);
  }

  /**
   * All waiting dead letters, also those that are not listed, oldest first.
   * @param {string} destination
   */
  async allWaiting(destination) {
    /** @type {DeadLetter[]} */
    const waiting = [];
    /** @type {number | string | null} */
    let before = "";
    while (before !== null) {
      const page = await this.fetch({ state: "waiting", destination, limit: MAX_PAGE_SIZE, before });
      waiting.push(...page.deadLetters);
      before = page.next;
    }
    return waiting.reverse();
  }

  /** @param {DeadLetter[]} deadLetters */
  async drop(deadLetters) {
    const reason = await confirmed(
      `Drop ${counted(deadLetters.length, "event")}?`,
      "Dropped events are not delivered any more. They stay listed under Dropped, where you can redrive them until newer ones replace them.",
      "Drop",
      true,
    );
    if (reason) await this.act("drop", deadLetters, reason);
  }

  /**
   * Redrive or drop *deadLetters*, some at a time, and report progress and result.
   * @param {DeadLetterAction} action
   * @param {DeadLetter[]} deadLetters
   * @param {string} [reason]
   */
  async act(action, deadLetters, reason) {
    if (this.running) return;
    const { doing, done, batch } = ACTIONS[action];
    const running = (this.running = { stopped: false });
    /** @type {Map<string, number>} */
    const failures = new Map();
    let [succeeded, attempted, stop] = [0, 0, ""];
    this.showChosen();
    for (const numbers of batches(deadLetters, batch)) {
      this.report(`${doing}: ${number(attempted)} of ${number(deadLetters.length)}`);
      try {
        const result = await this.post(action, { numbers, reason });
        succeeded += result[done]?.length ?? 0;
        for (const failed of result.failed) failures.set(failed.reason, (failures.get(failed.reason) ?? 0) + 1);
      } catch (error) {
        stop = messageOf(error);
      }
      attempted += numbers.length;
      if (stop || running.stopped) break;
    }
    const all = succeeded === deadLetters.length;
    const words = [`${number(succeeded)}${all ? "" : ` of ${number(deadLetters.length)}`} ${done}`];
    for (const [why, count] of failures) words.push(`${number(count)} rejected: ${why}`);
    if (stop) words.push(`then it stopped: ${stop}`);
    if (attempted < deadLetters.length) words.push(`${number(deadLetters.length - attempted)} not attempted`);
    this.running = null;
    this.chosen.clear();
    this.report(words.join("; "), !all);
    await this.load();
    this.showChosen();
    this.restoreFocus();
  }

  /**
   * @param {DeadLetterAction} action
   * @param {{ numbers: number[], reason?: string }} selection
   * @returns {Promise<{ redriven?: number[], dropped?: number[], failed: { number: number, reason: string }[] }>}
   */
  async post(action, selection) {
    const response = await api(`api/dead-letters/${action}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-send-token": this.permission?.token ?? "" },
      body: JSON.stringify(selection),
    });
    return response.json();
  }

  /** Put the focus on the list's state if the button that had it is gone or disabled. */
  restoreFocus() {
    const focused = document.activeElement;
    const isDisabled = focused instanceof HTMLButtonElement && focused.disabled;
    if (focused === document.body || isDisabled) $(`dead-letters-${this.state}`).focus();
  }

  /** @param {string} words */
  report(words, isBad = false) {
    $("dead-letters-result").textContent = words;
    $("dead-letters-result").className = isBad ? "bad" : "";
  }
}

/**
 * The numbers of *deadLetters* in lists with about *size* events. Those of one event stay together, because one redrive
 * sends the event once for all of them.
 * @param {DeadLetter[]} deadLetters
 * @param {number} size
 */
function batches(deadLetters, size) {
  /** @type {Map<string, number[]>} */
  const byEvent = new Map();
  for (const deadLetter of deadLetters) {
    const key = JSON.stringify([deadLetter.source, deadLetter.id]);
    byEvent.set(key, [...(byEvent.get(key) ?? []), deadLetter.number]);
  }
  const events = [...byEvent.values()];
  const result = [];
  for (let start = 0; start < events.length; start += size) result.push(events.slice(start, start + size).flat());
  return result;
}

/** @param {DeadLetter} deadLetter */
const numberOf = (deadLetter) => deadLetter.number;

/**
 * The subscriber and the reason, without the numbers in which the reasons of several events differ.
 * @param {DeadLetter} deadLetter
 */
const groupOf = ({ destination, code, response }) =>
  `${destination} ${code} ${response.replace(/\d+/g, "#").replace(/\b[\w-]+-(?:#|\w+)\b/g, "#")}`;

/** @param {number} count */
const times = (count) => (count === 1 ? "once" : `${number(count)} times`);

/**
 * "503 from notify: the receiver is away"
 * @param {DeadLetter} deadLetter
 */
function reasonOf({ code, destination, response }) {
  return `${code ?? "no response"} from ${nameOf(destination)}${response ? `: ${response}` : ""}`;
}

/**
 * "notify" for a Service in the cluster, else the address without scheme and final slash.
 * @param {string} destination
 */
function nameOf(destination) {
  if (!destination) return "an unnamed subscriber";
  return /^https?:\/\/([^./:]+)\.[^/]*\.svc\b/.exec(destination)?.[1] ?? destination.replace(/^https?:\/\/|\/$/g, "");
}
