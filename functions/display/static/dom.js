// Elements, made of text nodes only: nothing that an event holds is ever read as markup.

export const $ = (id) => document.getElementById(id);

/** An element with *properties* (`class`, `on…` listeners, DOM properties, else attributes) and *children*. */
export function make(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A button that says *words*, and calls *act* when it is pressed. */
export function button(words, act, properties = {}) {
  return make("button", { type: "button", onclick: act, ...properties }, words);
}

/** A line of *cells* that opens to what *inside()* makes, which is made when it is first opened. */
export function openable(cells, inside) {
  const details = make("details", {}, make("summary", {}, ...cells));
  details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(inside()));
  return details;
}

/** The lines of a `dl`, of [name, value] each. */
export const pairs = (lines) =>
  lines.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value))));

/** Calls *act* once in a frame, or in *ms*, however often it is asked. */
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

/** Puts *text* on the clipboard; also where the page came over plain http, and browsers offer no clipboard. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const box = make("textarea", { value: text, class: "unseen" });
  const focused = document.activeElement;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  focused?.focus();
  if (!done) throw new Error("the browser does not allow it");
}

/** The absolute form of an *address* relative to the page; without a login that the page's own address may hold. */
export const absolute = (address = ".") => new URL(address, location.origin + location.pathname).href;

/** The answer of the API at the relative *address*; throws its words where it is a refusal. */
export async function api(address, options) {
  const answer = await fetch(absolute(address), options);
  if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
  return answer;
}
