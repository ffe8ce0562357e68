// A payload, shown as a tree, as it came, as indented XML, or in hexadecimal digits.

import { button, make, openable } from "./dom.js";

const HEX_BYTES = 16_384;
const RAW_CHARACTERS = 500_000;
const BRANCHES = 500;
const OPEN_LEVELS = 2;

/**
 * The bytes of a payload.
 * @param {Payload} payload
 */
export function bytesOf({ text, base64 = "" }) {
  if (text !== undefined) return new TextEncoder().encode(text);
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/**
 * Fill *place* with buttons for the ways to show *payload*, and with the first of them.
 * @param {HTMLElement} place
 * @param {Payload} payload
 */
export function showPayload(place, payload) {
  if (payload.size === 0) {
    place.replaceChildren(make("p", { class: "payload faint" }, "This event has no payload."));
    return;
  }
  const ways = waysToShow(payload);
  const shown = make("div", { class: "payload" });
  const buttons = ways.map(([name]) => button(name, () => choose(name), { class: "small" }));
  /** @param {string} name */
  function choose(name) {
    for (const element of buttons) element.ariaPressed = String(element.textContent === name);
    for (const [way, show] of ways) if (way === name) shown.replaceChildren(show());
  }
  place.replaceChildren(
    make("div", { class: "bar", role: "group", ariaLabel: "Show the payload as" }, ...buttons),
    shown,
  );
  choose(ways[0][0]);
}

/**
 * The ways to show a payload, the best first.
 * @param {Payload} payload
 * @returns {[string, () => HTMLElement][]}
 */
function waysToShow(payload) {
  const { text } = payload;
  const type = payload.attributes.datacontenttype ?? "";
  const xml = text !== undefined && (type.includes("xml") || /^\s*</.test(text)) ? parseXml(text) : null;
  const json = xml ? undefined : parseJson(text);
  /** @type {[string, () => HTMLElement][]} */
  const ways = [];
  if (xml) ways.push(["Tree", () => tree(fromXml(xml))]);
  else if (json !== undefined) ways.push(["Tree", () => tree(json)]);
  if (text !== undefined) ways.push(["Raw", () => pre(cut(text))]);
  if (xml) ways.push(["XML", () => pre(cut(indented(xml, 0)))]);
  if (!payload.indented) ways.push(["Hex", () => pre(hex(bytesOf(payload)))]);
  return ways;
}

/** @param {string} text */
const pre = (text) => make("pre", { tabIndex: 0 }, text);

/** @param {string} text */
const cut = (text) =>
  text.length > RAW_CHARACTERS
    ? `${text.slice(0, RAW_CHARACTERS)}\n… ${text.length - RAW_CHARACTERS} more characters, which a copy has`
    : text;

/**
 * The object or list that *text* holds as JSON, or undefined.
 * @param {string | undefined} text
 * @returns {object | undefined}
 */
function parseJson(text) {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The root element of *text*, or null if it is not XML.
 * @param {string} text
 */
function parseXml(text) {
  if (text.includes("<!DOCTYPE")) return null;
  const parsed = new DOMParser().parseFromString(text, "application/xml"); // a document of its own: nothing in it runs or loads
  return parsed.querySelector("parsererror") ? null : parsed.documentElement;
}

/**
 * An element as the tree shows it: its text, or its attributes and children by name.
 * @param {Element} element
 */
function fromXml(element) {
  if (!element.children.length && !element.attributes.length) return element.textContent ?? "";
  /** @type {[string, unknown][]} */
  const entries = [...element.attributes].map((attribute) => [`@${attribute.name}`, attribute.value]);
  if (!element.children.length) entries.push(["", element.textContent]);
  else for (const child of element.children) entries.push([child.localName, child]);
  return new Entries(entries);
}

/** Names with values, in which a name may occur twice. */
class Entries {
  /** @param {[string, unknown][]} list */
  constructor(list) {
    this.list = list;
  }
}

/**
 * @param {unknown} value
 * @returns {[string, unknown][]}
 */
const entriesOf = (value) => (value instanceof Entries ? value.list : Object.entries(Object(value)));

/** @param {unknown} value */
function tree(value, level = 0) {
  const list = make("ul", { class: level ? "" : "tree" });
  const entries = entriesOf(value);
  if (!entries.length) list.append(make("li", { class: "faint" }, "empty"));
  for (const [name, held] of entries.slice(0, BRANCHES))
    list.append(branch(name, held instanceof Element ? fromXml(held) : held, level));
  if (entries.length > BRANCHES)
    list.append(make("li", { class: "faint" }, `… ${entries.length - BRANCHES} more. Raw shows all`));
  return list;
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {number} level
 */
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
  // Created when it is opened: a payload may be nested deeper than any page should be.
  const details = openable([label, make("span", { class: "faint" }, words)], () => tree(value, level + 1));
  if (level < OPEN_LEVELS && size <= 30) {
    details.append(tree(value, level + 1));
    details.open = true;
  }
  return make("li", {}, details);
}

/**
 * @param {Element} element
 * @param {number} level
 * @returns {string}
 */
function indented(element, level) {
  const pad = "  ".repeat(Math.min(level, 40));
  const attributes = [...element.attributes]
    .map((attribute) => ` ${attribute.name}="${escaped(attribute.value)}"`)
    .join("");
  if (level > 400) return `${pad}…`;
  if (!element.children.length) {
    const text = escaped(element.textContent ?? "");
    return text
      ? `${pad}<${element.tagName}${attributes}>${text}</${element.tagName}>`
      : `${pad}<${element.tagName}${attributes}/>`;
  }
  const inside = [...element.children].map((child) => indented(child, level + 1)).join("\n");
  return `${pad}<${element.tagName}${attributes}>\n${inside}\n${pad}</${element.tagName}>`;
}

/** @type {Record<string, string>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]);

/** @param {Uint8Array} bytes */
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
