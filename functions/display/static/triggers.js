// Which Triggers select an event, per attribute why or why not, and what became of it at each subscriber.

import { api, button, make, messageOf, openable } from "./dom.js";
import { counted, duration, typeInWords } from "./format.js";

/**
 * What happened after a Trigger selected an event, as far as it is known.
 * @typedef {object} Outcome
 * @property {Row[]} replies the replies of reactions
 * @property {DeadLetter[]} deadLetters
 * @property {string} service the display's own
 */

/**
 * Fill *place* with the Triggers that exist and their verdicts on *row*.
 * @param {HTMLElement} place
 * @param {Row} row
 * @param {Outcome} outcome
 * @param {(row: Row) => void} open
 */
export async function showTriggers(place, row, outcome, open) {
  try {
    /** @type {{ known: boolean, triggers: TriggerVerdict[] }} */
    const { known, triggers } = await (await api(`api/events/${row.seq}/triggers`)).json();
    if (!known) return place.replaceChildren(...traced(outcome, open));
    const selecting = triggers.filter(({ matches }) => matches).length;
    place.replaceChildren(
      make(
        "h3",
        {},
        `${selecting} of ${counted(triggers.length, "Trigger")} select${selecting === 1 ? "s" : ""} this event`,
      ),
      make("ul", { class: "triggers" }, ...triggers.map((trigger) => lineOf(trigger, row, outcome, open))),
    );
  } catch (error) {
    place.replaceChildren(make("p", { class: "bad" }, `The Triggers are not known: ${messageOf(error)}`));
  }
}

/**
 * @param {TriggerVerdict} trigger
 * @param {Row} row
 * @param {Outcome} outcome
 * @param {(row: Row) => void} open
 */
function lineOf(trigger, row, outcome, open) {
  const { name, subscriber, matches, error } = trigger;
  const parts = trigger.parts ?? [];
  const head = [verdictSign(matches), make("strong", {}, name), subscriber === name ? "" : ` to ${subscriber}`];
  const why = matches ? [] : [make("div", { class: "why" }, error ?? reasonAgainst(parts))];
  const filter = parts.length
    ? openable([make("span", { class: "faint" }, "filter")], () => partList(parts))
    : make("div", { class: "why" }, matches ? "It has no filter: it selects every event." : "");
  const became = matches ? traceOf(subscriber, row, outcome, open) : [];
  return make("li", { class: matches ? "selects" : "" }, make("div", {}, ...head), ...why, ...became, filter);
}

/**
 * What became of the event at *subscriber*.
 * @param {string} subscriber
 * @param {Row} row
 * @param {Outcome} outcome
 * @param {(row: Row) => void} open
 */
function traceOf(subscriber, row, outcome, open) {
  const { replies, deadLetters, service } = outcome;
  const lines = [];
  if (subscriber === service)
    lines.push(`received ${duration(Math.max(0, row.received - row.at)) || "at once"} later, on this page`);
  for (const reply of replies.filter((other) => other.user === `reaction ${subscriber}`)) {
    const after = duration(Math.max(0, reply.received - row.received));
    lines.push(
      make(
        "span",
        {},
        `replied after ${after}: `,
        button(typeInWords(reply.type), () => open(reply), { class: "plain" }),
      ),
    );
  }
  for (const deadLetter of deadLetters.filter((other) => isAt(other, subscriber))) lines.push(failureOf(deadLetter));
  if (!lines.length)
    lines.push(make("span", { class: "faint" }, "no reply, and no dead letter: it was taken or is being retried"));
  return lines.map((line) => make("div", { class: "trace" }, line));
}

/**
 * The trace without the Triggers: they are not known.
 * @param {Outcome} outcome
 * @param {(row: Row) => void} open
 */
function traced({ replies, deadLetters }, open) {
  const lines = [
    ...replies.map((reply) =>
      make(
        "div",
        { class: "trace" },
        `${reply.user} replied: `,
        button(typeInWords(reply.type), () => open(reply), { class: "plain" }),
      ),
    ),
    ...deadLetters.map((deadLetter) => make("div", { class: "trace" }, failureOf(deadLetter))),
  ];
  return lines.length ? [make("h3", {}, "What became of it"), ...lines] : [];
}

/**
 * @param {DeadLetter} deadLetter
 * @param {string} subscriber
 */
const isAt = ({ destination, response }, subscriber) =>
  destination.includes(`//${subscriber}.`) || response.includes(subscriber);

/** @param {DeadLetter} deadLetter */
const failureOf = ({ number, code, response, state }) =>
  make(
    "span",
    { class: "bad" },
    `${code ?? "no response"}: ${response || "no words"} → dead letter ${number}, ${state}`,
  );

/** @param {boolean} matches */
const verdictSign = (matches) =>
  make(
    "span",
    { class: matches ? "yes" : "no", role: "img", ariaLabel: matches ? "selects it" : "does not select it" },
    matches ? "✓ " : "✗ ",
  );

/**
 * The first parts that do not match, in words.
 * @param {FilterPart[]} parts
 */
export function reasonAgainst(parts) {
  return parts
    .filter(({ matches }) => !matches)
    .map(partInWords)
    .join(" and ");
}

/**
 * "VmPowered…" for a prefix.
 * @param {FilterPart} part
 */
const expectation = ({ dialect, expected }) =>
  `${dialect === "suffix" ? "…" : ""}${expected}${dialect === "prefix" ? "…" : ""}`;

/**
 * @param {FilterPart} part
 * @returns {string}
 */
function partInWords({ dialect, attribute, expected, actual, parts = [] }) {
  if (attribute === undefined) {
    if (dialect === "not") return `it is excluded: ${parts.map(partInWords).join(" and ")}`;
    const failing = parts.filter(({ matches }) => !matches).map(partInWords);
    const [first] = parts;
    const isList = parts.every((one) => one.attribute !== undefined && one.attribute === first.attribute);
    if (dialect === "any" && isList) {
      return `${first.attribute} ${first.actual ?? "(none)"} is none of ${parts.map(expectation).join(", ")}`;
    }
    return dialect === "any" ? `none of ${failing.length}: ${failing.join(", or ")}` : failing.join(" and ");
  }
  const relation =
    { exact: "is not", prefix: "does not begin with", suffix: "does not end with" }[dialect] ?? "is missing";
  return actual === null ? `it has no ${attribute}` : `${attribute} ${actual} ${relation} ${expected}`;
}

/**
 * The parts of a filter, each with its verdict.
 * @param {FilterPart[]} parts
 * @returns {HTMLElement}
 */
export function partList(parts) {
  return make(
    "ul",
    { class: "parts" },
    ...parts.map((part) => {
      const words = part.attribute === undefined ? part.dialect : `${part.attribute} ${part.dialect} ${part.expected}`;
      const actual =
        part.attribute !== undefined && !part.matches
          ? make(
              "div",
              { class: "faint" },
              part.actual === null ? "the event has none" : `the event has ${part.actual}`,
            )
          : "";
      return make("li", {}, verdictSign(part.matches), words, actual, part.parts ? partList(part.parts) : "");
    }),
  );
}
