// A payload, shown as a tree, as it came, as indented XML, or in hexadecimal digits.

import { button, make, openable } from "./dom.js";

const HEX_BYTES = 16_384;
const RAW_CHARACTERS = 500_000;
const BRANCHES = 500;
const OPEN_LEVELS = 2;

/** The bytes of an event as the API gives it: `text` where they are UTF-8, else `base64`. */
export function bytesOf({ text, base64 }) {
  if (text !== undefined) return new TextEncoder().encode(text);
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/**
 * Fill *place* with buttons for the ways to show *whole*, and the first that makes sense. `whole.laidOut` says that its
 * text was written anew, to be read: its bytes are not the event's own.
 */
export function showPayload(place, whole) {
  const type = whole.attributes.datacontenttype ?? "";
  const xml =
    whole.text !== undefined && (type.includes("xml") || /^\s*</.test(whole.text)) ? parseXml(whole.text) : null;
  const json = xml ? undefined : parseJson(whole.text);
  const ways = [];
  if (xml) ways.push(["Tree", () => tree(fromXml(xml.documentElement))]);
  else if (json !== undefined) ways.push(["Tree", () => tree(json)]);
  if (whole.text !== undefined) ways.push(["Raw", () => pre(cut(whole.text))]);
  if (xml) ways.push(["XML", () => pre(cut(indented(xml.documentElement, 0)))]);
  if (!whole.laidOut) ways.push(["Hex", () => pre(hex(bytesOf(whole)))]);

  const shown = make("div", { class: "payload" });
  const buttons = ways.map(([name, show]) =>
    button(name, () => choose(name, show), { class: "small", ariaPressed: "false" }),
  );
  function choose(name, show) {
    for (const each of buttons) each.ariaPressed = String(each.textContent === name);
    shown.replaceChildren(show());
  }
  if (whole.size === 0)
    return place.replaceChildren(make("p", { class: "payload faint" }, "This event has no payload."));
  place.replaceChildren(
    make("div", { class: "bar", role: "group", ariaLabel: "Show the payload as" }, ...buttons),
    shown,
  );
  choose(...ways[0]);
}

const pre = (text) => make("pre", { tabIndex: 0 }, text);

const cut = (text) =>
  text.length > RAW_CHARACTERS
    ? `${text.slice(0, RAW_CHARACTERS)}\n… ${text.length - RAW_CHARACTERS} characters more; copy takes all`
    : text;

export function parseJson(text) {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}

function parseXml(text) {
  if (text.includes("<!DOCTYPE")) return null;
  const parsed = new DOMParser().parseFromString(text, "application/xml"); // of its own: nothing in it runs or loads
  return parsed.querySelector("parsererror") ? null : parsed;
}

/** An element as the tree shows it: its text, or its attributes and children by name. */
function fromXml(element) {
  if (!element.children.length && !element.attributes.length) return element.textContent;
  const found = [...element.attributes].map((attribute) => [`@${attribute.name}`, attribute.value]);
  if (!element.children.length) found.push(["", element.textContent]);
  else for (const child of element.children) found.push([child.localName, child]);
  return new Entries(found);
}

/** Names with values, in which a name may come twice. */
class Entries {
  constructor(pairs) {
    this.pairs = pairs;
  }
}

const entriesOf = (value) => (value instanceof Entries ? value.pairs : Object.entries(value));

function tree(value, level = 0) {
  const list = make("ul", { class: level ? "" : "tree" });
  const entries = entriesOf(value);
  if (!entries.length) list.append(make("li", { class: "faint" }, "empty"));
  for (const [name, held] of entries.slice(0, BRANCHES))
    list.append(branch(name, held instanceof Element ? fromXml(held) : held, level));
  if (entries.length > BRANCHES)
    list.append(make("li", { class: "faint" }, `… ${entries.length - BRANCHES} more; Raw has all`));
  return list;
}

function branch(name, value, level) {
  const label = make("span", { class: "name" }, name);
  if (value === null || typeof value !== "object") {
    return make(
      "li",
      {},
      label,
      make("span", { class: `leaf ${value === null ? "null" : typeof value}` }, String(value)),
    );
  }
  const size = entriesOf(value).length;
  const words = Array.isArray(value) ? `${size} in a list` : `${size} inside`;
  // Made when it is opened: a payload may be nested deeper than any page should be.
  const details = openable([label, make("span", { class: "faint" }, words)], () => tree(value, level + 1));
  if (level < OPEN_LEVELS && size <= 30) {
    details.append(tree(value, level + 1));
    details.open = true;
  }
  return make("li", {}, details);
}

function indented(element, level) {
  const pad = "  ".repeat(Math.min(level, 40));
  const attributes = [...element.attributes]
    .map((attribute) => ` ${attribute.name}="${escaped(attribute.value)}"`)
    .join("");
  if (level > 400) return `${pad}…`;
  if (!element.children.length) {
    const text = escaped(element.textContent);
    return text
      ? `${pad}<${element.tagName}${attributes}>${text}</${element.tagName}>`
      : `${pad}<${element.tagName}${attributes}/>`;
  }
  const inside = [...element.children].map((child) => indented(child, level + 1)).join("\n");
  return `${pad}<${element.tagName}${attributes}>\n${inside}\n${pad}</${element.tagName}>`;
}

const escaped = (text) =>
  text.replace(/[&<>"]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[character]);

function hex(bytes) {
  const lines = [];
  for (let start = 0; start < Math.min(bytes.length, HEX_BYTES); start += 16) {
    const part = [...bytes.subarray(start, Math.min(start + 16, HEX_BYTES))];
    const digits = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${start.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${text}`);
  }
  if (bytes.length > HEX_BYTES) lines.push(`… ${bytes.length - HEX_BYTES} bytes more`);
  return lines.join("\n");
}
