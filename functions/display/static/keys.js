// The keyboard: one letter an action, wherever no text is being written.

import { $ } from "./dom.js";

/** *actions*: key → function; Escape also leaves a text. */
export function listen(actions) {
  addEventListener("keydown", (key) => {
    if (key.ctrlKey || key.metaKey || key.altKey || key.defaultPrevented) return;
    const writing = key.target.matches("input, textarea, select");
    if (key.key === "Escape") {
      if (writing) return key.target.blur();
      if (!document.querySelector("dialog[open], :popover-open")) actions.Escape();
      return;
    }
    if (writing || document.querySelector("dialog[open]")) return;
    const pressing =
      key.target.matches("button, summary, a, [tabindex='0'] pre") && (key.key === " " || key.key === "Enter");
    const action = actions[key.key];
    if (pressing || !action) return;
    key.preventDefault();
    action();
  });
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("help-close").addEventListener("click", () => $("help").close());
}
