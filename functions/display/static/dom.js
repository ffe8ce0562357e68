// Elements, made of text nodes only: nothing that an event holds is ever read as markup.

/**
 * The element of index.html with this *id*.
 * @template {string} Id
 * @param {Id} id
 * @returns {Id extends keyof PageElements ? PageElements[Id] : HTMLElement}
 */
export function $(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return /** @type {Id extends keyof PageElements ? PageElements[Id] : HTMLElement} */ (element);
}

/**
 * An element with *properties* (`class`, `on…` listeners, DOM properties, else attributes) and *children*.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, unknown>} properties
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else if (key === "class") element.className = String(value).trim();
    else if (key in element) Object.assign(element, { [key]: value });
    else element.setAttribute(key, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A button with a *label*, which calls *act* when it is pressed.
 * @param {string} label
 * @param {(event: MouseEvent) => void} act
 * @param {Record<string, unknown>} properties
 */
export function button(label, act, properties = {}) {
  return make("button", { type: "button", onclick: act, ...properties }, label);
}

/**
 * A line of *cells* that opens to the result of *inside*, which is called when it is first opened.
 * @param {Node[]} cells
 * @param {() => Node} inside
 */
export function openable(cells, inside) {
  const details = make("details", {}, make("summary", {}, ...cells));
  details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(inside()));
  return details;
}

/**
 * The lines of a `dl`, from pairs of name and value.
 * @param {[string, unknown][]} lines
 */
export const pairs = (lines) =>
  lines.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value))));

/**
 * A function that calls *act* once in a frame, or in *ms*, even if it is called more often.
 * @param {() => void} act
 */
export function soon(act, ms = 0) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    const run = () => {
      due = false;
      act();
    };
    if (ms) setTimeout(run, ms);
    else requestAnimationFrame(run);
  };
}

/**
 * Put *text* on the clipboard. Works also on a page over plain http, to which browsers offer no clipboard.
 * @param {string} text
 */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const box = make("textarea", { value: text, class: "unseen" });
  const focused = document.activeElement;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  if (focused instanceof HTMLElement) focused.focus();
  if (!done) throw new Error("the browser does not allow it");
}

/** The absolute form of an *address* relative to the page, without a login that the page's own address may hold. */
export const absolute = (address = ".") => new URL(address, location.origin + location.pathname).href;

/**
 * The response of the API at a relative *address*. Throws an error with the response's text if the status is not 2xx.
 * @param {string} address
 * @param {RequestInit} [options]
 */
export async function api(address, options) {
  const response = await fetch(absolute(address), options);
  if (!response.ok) throw new Error((await response.text()).trim() || `status ${response.status}`);
  return response;
}

/**
 * The message of what was thrown.
 * @param {unknown} error
 */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));
