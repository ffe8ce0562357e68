// How the cell of a column is written: the formats that columns.py names.

import { make } from "./dom.js";
import {
  bytes,
  dateAndTime,
  duration,
  severityInWords,
  shortType,
  SIGNS,
  timeIn,
  timeOrDate,
  typeInWords,
} from "./format.js";
import { foldedInWords } from "./operations.js";
import { glyph, targetInWords, targetTypeInWords } from "./target-types.js";

/**
 * How a cell is written: its text, the full text on hover, and what comes before the text.
 * @typedef {object} CellFormat
 * @property {(row: Row, name: string, shown: { utc: boolean, narrow: boolean }) => string} text
 * @property {(row: Row, name: string) => string} [hover]
 * @property {(row: Row) => Element | null} [before]
 */

/** @type {Record<string, CellFormat>} */
const CELL_FORMATS = {
  text: { text: textOf },
  severity: {
    text: () => "",
    hover: severityInWords,
    before: (row) =>
      make(
        "span",
        {},
        make("span", { class: row.inferred ? "sign inferred" : "sign", ariaHidden: "true" }, SIGNS[row.severity]),
        make("span", { class: "unseen" }, severityInWords(row)),
      ),
  },
  time: {
    text: (row, _, { utc, narrow }) =>
      row.isDated || !row.time ? (narrow ? timeOrDate : dateAndTime)(row.at, utc) : row.time,
    hover: (row) => (row.isDated ? row.time : row.time ? `${row.time} is not a time` : "has no time: when it arrived"),
  },
  received: {
    text: (row, _, { utc }) => dateAndTime(row.received, utc),
    hover: (row) => new Date(row.received).toISOString(),
  },
  lag: {
    text: (row) => duration(row.received - timeIn(row.time)),
    hover: (row) => (row.time ? `event time ${row.time}` : "has no time"),
  },
  message: {
    text: textOf,
    before: chips,
  },
  type: { text: (row) => shortType(row.type), hover: textOf },
  words: { text: (row) => typeInWords(row.type), hover: textOf },
  target: { text: textOf, hover: targetInWords, before: targetSign },
  bytes: { text: (row, name) => bytes(Number(row[name])), hover: (row, name) => `${row[name]} bytes` },
  repeats: { text: (row) => (row.repeats ? String(row.repeats) : ""), hover: arrivals },
};

/** @type {Record<string, (value: string) => string>} */
const VALUE_FORMATS = { text: (value) => value, type: shortType, targettype: targetTypeInWords };

/**
 * A *value* of a column as the filters and the detail view write it.
 * @param {Column} column
 * @param {string} value
 */
export const valueInWords = (column, value) => VALUE_FORMATS[column.format](value);

/**
 * The cell of *column* in the line of *row*.
 * @param {{ column: Column, cell: Cell }} shownColumn
 * @param {Row} row
 * @param {{ utc: boolean, narrow: boolean }} shown
 */
export function cellOf({ column, cell }, row, shown) {
  const { text: write, hover = textOf, before } = CELL_FORMATS[cell.format];
  const element = make("span", {
    class: `${column.name} ${cell.style}`,
    role: "gridcell",
    title: hover(row, column.name),
  });
  const text = write(row, column.name, shown);
  element.append(before?.(row) ?? "");
  element.append(column.filter && text ? make("span", { class: "value", "data-field": column.name }, text) : text);
  if (column.filter) element.title += "\n(click: only these; with shift: none of these)";
  return element;
}

/**
 * @param {Row} row
 * @param {string} name
 */
function textOf(row, name) {
  return String(row[name]);
}

/** @param {Row} row */
function targetSign(row) {
  const sign = glyph(row.targettype);
  if (sign) sign.dataset.field = "targettype";
  return sign;
}

/**
 * How often the event arrived, and what is folded into its row.
 * @param {Row} row
 */
function chips(row) {
  const chips = make("span", {});
  if (row.repeats) chips.append(make("span", { class: "times", title: arrivals(row) }, `×${row.repeats + 1}`));
  if (row.version > 1) chips.append(make("span", { class: "times", title: arrivals(row) }, "other content"));
  if (row.cause) chips.append(make("span", { class: "faint", title: `reaction to the event ${row.cause}` }, "↳ "));
  const folded = foldedInWords(row);
  if (folded) chips.append(make("span", { class: "folded", title: "open the event to see them" }, folded));
  return chips;
}

/** @param {Row} row */
function arrivals(row) {
  const often = row.repeats ? `arrived ${row.repeats + 1} times` : "arrived once";
  return row.version > 1 ? `${often}, after an event with the same source and id and other content` : often;
}
