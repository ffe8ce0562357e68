// The Trigger that would bring events like this one, and a tester for any.

import { absolute, api, button, copy, make } from "./dom.js";
import { number, shortType } from "./format.js";
import { parseJson } from "./payload.js";

/** Fill *place* with the Trigger for an event with these *attributes*, as YAML and as a `kn` line. */
export function showTrigger(place, attributes) {
  const yaml = triggerYaml(attributes);
  const box = make("textarea", {
    id: "trigger",
    value: yaml,
    rows: 16,
    spellcheck: false,
    ariaLabel: "Trigger as YAML",
  });
  const verdict = make("p", { id: "verdict", role: "status" });
  const test = async () => {
    try {
      const answer = await api("api/match", {
        method: "POST",
        headers: { "content-type": "application/yaml" },
        body: box.value,
      });
      const { matches, held } = await answer.json();
      verdict.textContent = `This filter matches ${number(matches)} of ${number(held)} held.`;
      verdict.className = "";
    } catch (error) {
      verdict.textContent = error.message;
      verdict.className = "bad";
    }
  };
  place.replaceChildren(
    make(
      "p",
      { class: "faint" },
      "This Trigger brings events of this type and source to a function of yours. Change it and try.",
    ),
    box,
    make(
      "div",
      { class: "bar" },
      button("Test against what is held", test, { id: "test" }),
      copying("Copy YAML", () => box.value),
    ),
    verdict,
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

/** A button that copies what *text()* gives or promises, and says so. */
export function copying(words, text) {
  const made = button(words, async () => {
    try {
      await copy(await text());
      made.textContent = "Copied";
    } catch (error) {
      made.textContent = `Not copied: ${error.message}`;
    }
    setTimeout(() => (made.textContent = words), 1500);
  });
  return made;
}

/** YAML takes JSON's strings. */
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

function knLine(attributes) {
  const filters = ["type", "source"].map((name) => ` --filter ${quoted(`${name}=${attributes[name]}`)}`).join("");
  return `kn trigger create ${triggerName(attributes)} --broker default${filters} --sink ksvc:my-function`;
}

/** "on-vmpoweredoffevent": a name that Kubernetes takes. */
function triggerName(attributes) {
  const name = shortType(attributes.type)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 50)
    .replace(/^-+|-+$/g, "");
  return `on-${name || "event"}`;
}

/** A word for a POSIX shell. */
export const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The event in structured mode, as text; the payload's own digits are kept. */
export function structured({ attributes, text, base64, size }) {
  const head = JSON.stringify(attributes, null, 2);
  if (!size) return head;
  const type = (attributes.datacontenttype ?? "application/json").split(";")[0].trim().toLowerCase();
  const isJson = /[/+]json$/.test(type);
  const isText = text !== undefined && !isJson;
  const data = isText
    ? `"data": ${JSON.stringify(text)}`
    : isJson && isWhole(text)
      ? `"data": ${text.trim()}`
      : `"data_base64": ${JSON.stringify(base64 ?? toBase64(text))}`;
  return `${head.slice(0, -2)},\n  ${data}\n}`;
}

function isWhole(text) {
  try {
    return text !== undefined && (parseJson(text) !== undefined || JSON.parse(text) !== undefined);
  } catch {
    return false;
  }
}

const toBase64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** A line that posts the event again, to this display. */
export const curl = (whole) =>
  `curl ${absolute()} -H 'content-type: application/cloudevents+json' --data-raw ${quoted(structured(whole))}`;
