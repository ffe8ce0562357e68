// The page on a wall (?wall=1): large figures, all that needs attention, bars and the latest errors, without controls.

import { $ } from "./dom.js";
import { HOUR, MINUTE, number } from "./format.js";

export const IS_WALL = new URLSearchParams(location.search).has("wall");

/** Arrange the page for a wall. */
export function arrangeWall() {
  document.body.classList.add("wall");
  $("wall").hidden = false;
  const list = $("attention-list");
  list.removeAttribute("popover");
  list.setAttribute("role", "group");
  $("attention").after(list);
}

/**
 * Show the figures of the last hour.
 * @param {Iterable<Row>} rows all that are held
 * @param {number} problems that need attention
 * @param {number} now
 */
export function showFigures(rows, problems, now) {
  const last = { error: 0, warning: 0, info: 0 };
  let recent = 0;
  for (const row of rows) {
    if (row.received > now - HOUR) last[row.severity]++;
    if (row.received > now - 5 * MINUTE) recent++;
  }
  const figures = { problems, errors: last.error, warnings: last.warning, rate: Math.round(recent / 5) };
  for (const [name, value] of Object.entries(figures)) {
    $(`wall-${name}`).textContent = number(value);
    /** @type {HTMLElement} */ ($(`wall-${name}`).parentElement).classList.toggle("none", !value);
  }
}
