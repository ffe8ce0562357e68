// How far the page can be trusted: when something last arrived, whether it is saved, and what is connected.

import { make } from "./dom.js";
import { ago, exactTimeOfDay, inWhole } from "./format.js";

const MISSED_BEATS = 2.5; // intervals without a heartbeat, after which its sender is silent
const SKEW_MS = 60_000; // a clock that is further ahead is worth a word

/**
 * A part of the health line.
 * @typedef {{ state: "good" | "bad" | "odd" | "plain", words: string, title?: string }} Part
 */

/**
 * The health of what feeds the page, in words.
 * @param {Numbers} numbers
 * @param {number} last when the last event arrived, in ms since 1970, or 0
 * @param {number} ahead by how many ms the time of the last event is ahead of the display's
 * @param {number} now on the display's clock, in ms since 1970
 * @returns {Part[]}
 */
export function healthOf(numbers, last, ahead, now) {
  /** @type {Part[]} */
  const parts = [{ state: "plain", words: last ? `last event ${ago(now - last)}` : "no event yet" }];
  for (const source of numbers.sources ?? []) parts.push(...sourceInWords(source, now));
  if (numbers.unsaved) parts.push({ state: "bad", words: `not being saved: ${numbers.unsaved}` });
  if (numbers.damaged) parts.push({ state: "odd", words: "file was damaged", title: numbers.damaged });
  if (ahead > SKEW_MS) {
    const title = "Its events have times in the future. Set its clock, or that of the display.";
    parts.push({ state: "odd", words: `a source's clock is ${inWhole(ahead)} ahead`, title });
  }
  return parts;
}

/**
 * @param {SourceHealth} source
 * @param {number} now
 * @returns {Part[]}
 */
function sourceInWords({ source, reporter, beat, interval, since, reason }, now) {
  const host = source.replace(/^https?:\/\//, "").replace(/\/.*$/, "") || source;
  /** @type {Part[]} */
  const parts = [];
  if (since) {
    const words = `${host} unreachable since ${exactTimeOfDay(since)}`;
    parts.push({ state: "bad", words, title: reason });
  } else if (beat) parts.push({ state: "good", words: host, title: `The ${reporter} reads ${source}` });
  if (!beat || !interval) return parts;
  const silence = now - beat;
  const isSilent = silence > interval * 1000 * MISSED_BEATS;
  const words = isSilent ? `${reporter} or Broker silent for ${inWhole(silence)}` : `${reporter} and Broker`;
  const title = `The ${reporter}'s last sign of life came ${ago(silence)}, every ${interval} s is expected`;
  return [...parts, { state: isSilent ? "odd" : "good", words, title }];
}

/**
 * Show *parts* in *line*.
 * @param {HTMLElement} line
 * @param {Part[]} parts
 */
export function showHealth(line, parts) {
  const key = parts.map(({ state, words }) => `${state} ${words}`).join();
  if (line.dataset.shown === key) return;
  line.dataset.shown = key;
  line.replaceChildren(
    ...parts.map(({ state, words, title = "" }) => make("li", { class: state, title: title || words }, words)),
  );
}
