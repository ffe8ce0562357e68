// The Trigger that selects events like this one, and a test of any Trigger.

import { absolute, api, button, copy, make, messageOf } from "./dom.js";
import { number, shortType } from "./format.js";
import { partList } from "./triggers.js";

/**
 * Fill *place* with the Trigger for an event with these *attributes*, as YAML and as a `kn` line.
 * @param {HTMLElement} place
 * @param {Record<string, string>} attributes
 * @param {number} seq of the event, to explain the verdict
 * @param {HTMLElement} existing what is known about the Triggers that exist
 */
export function showTrigger(place, attributes, seq = 0, existing = make("div")) {
  const yaml = triggerYaml(attributes);
  const box = make("textarea", {
    id: "trigger",
    value: yaml,
    rows: 16,
    spellcheck: false,
    ariaLabel: "Trigger as YAML",
  });
  const verdict = make("p", { id: "verdict", role: "status" });
  const reasons = make("div", { id: "reasons" });
  const test = async () => {
    try {
      const response = await api(`api/match?seq=${seq}`, {
        method: "POST",
        headers: { "content-type": "application/yaml" },
        body: box.value,
      });
      const { matches, held, parts } = await response.json();
      verdict.textContent = `This filter matches ${number(matches)} of ${number(held)} held.`;
      verdict.className = "";
      reasons.replaceChildren(parts?.length ? partList(parts) : "");
    } catch (error) {
      verdict.textContent = messageOf(error);
      verdict.className = "bad";
      reasons.replaceChildren();
    }
  };
  place.replaceChildren(
    existing,
    make("h3", {}, "A Trigger for events like this one"),
    make(
      "p",
      { class: "faint" },
      "This Trigger brings events of this type and source to a function of yours. Change and test it here.",
    ),
    box,
    make(
      "div",
      { class: "bar" },
      button("Test against what is held", test, { id: "test" }),
      copying("Copy YAML", () => box.value),
    ),
    verdict,
    reasons,
    make("h3", {}, "The same with kn"),
    make("pre", { id: "kn", tabIndex: 0 }, knLine(attributes)),
    make(
      "div",
      { class: "bar" },
      copying("Copy line", () => knLine(attributes)),
    ),
  );
  test();
}

/**
 * A button with a *label* that copies what *text* returns, and reports that it did.
 * @param {string} label
 * @param {() => string | Promise<string>} text
 */
export function copying(label, text) {
  const element = button(label, async () => {
    try {
      await copy(await text());
      element.textContent = "Copied";
    } catch (error) {
      element.textContent = `Not copied: ${messageOf(error)}`;
    }
    setTimeout(() => (element.textContent = label), 1500);
  });
  return element;
}

/**
 * The Trigger as YAML, whose strings are written as in JSON.
 * @param {Record<string, string>} attributes
 */
function triggerYaml(attributes) {
  return `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: ${triggerName(attributes)}
spec:
  broker: default
  filter:
    attributes:
      type: ${JSON.stringify(attributes.type)}
      source: ${JSON.stringify(attributes.source)}
  subscriber:
    ref:
      apiVersion: serving.knative.dev/v1
      kind: Service
      name: my-function
`;
}

/** @param {Record<string, string>} attributes */
function knLine(attributes) {
  const filters = ["type", "source"].map((name) => ` --filter ${quoted(`${name}=${attributes[name]}`)}`).join("");
  return `kn trigger create ${triggerName(attributes)} --broker default${filters} --sink ksvc:my-function`;
}

/**
 * "on-vmpoweredoffevent": a name that Kubernetes accepts.
 * @param {Record<string, string>} attributes
 */
function triggerName(attributes) {
  const name = shortType(attributes.type)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 50)
    .replace(/^-+|-+$/g, "");
  return `on-${name || "event"}`;
}

/**
 * *text* as a word for a POSIX shell.
 * @param {string} text
 */
export const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * The event in structured mode, as text. Numbers keep their digits.
 * @param {WholeEvent} whole
 */
export function structured({ attributes, text, base64, size }) {
  if (!size) return JSON.stringify(attributes, null, 2);
  const type = (attributes.datacontenttype ?? "application/json").split(";")[0].trim().toLowerCase();
  const isJson = /[/+]json$/.test(type);
  const head = `${JSON.stringify(attributes, null, 2).slice(0, -2)},\n  `;
  if (text !== undefined && !isJson) return `${head}"data": ${JSON.stringify(text)}\n}`;
  if (text !== undefined && isValidJson(text)) return `${head}"data": ${text.trim()}\n}`;
  return `${head}"data_base64": ${JSON.stringify(base64 ?? toBase64(text ?? ""))}\n}`;
}

/** @param {string} text */
function isValidJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} text */
const toBase64 = (text) =>
  btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));

/**
 * A command that posts the event again, to this display.
 * @param {WholeEvent} whole
 */
export const curl = (whole) =>
  `curl ${absolute()} -H 'content-type: application/cloudevents+json' --data-raw ${quoted(structured(whole))}`;
