// The keyboard: a key for each action, except while text is being written.

import { $ } from "./dom.js";

/**
 * @param {Record<string, Listener>} actions by key. Escape also leaves a text.
 */
export function listen(actions) {
  addEventListener("keydown", (key) => {
    const target = key.target instanceof HTMLElement ? key.target : document.body;
    if (key.ctrlKey || key.metaKey || key.altKey || key.defaultPrevented) return;
    const writing = target.matches("input, textarea, select");
    if (key.key === "Escape") {
      if (writing) target.blur();
      else if (!document.querySelector("dialog[open], :popover-open")) actions.Escape();
      return;
    }
    if (writing || document.querySelector("dialog[open]")) return;
    const pressing =
      target.matches("button, summary, a, [tabindex='0'] pre") && (key.key === " " || key.key === "Enter");
    const action = actions[key.key];
    if (pressing || !action) return;
    key.preventDefault();
    action();
  });
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("help-close").addEventListener("click", () => $("help").close());
}
