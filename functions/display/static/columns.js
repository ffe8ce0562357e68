// The columns of a row: columns.py defines them, and index.html holds them as JSON.

import { $ } from "./dom.js";

/** @type {Column[]} */
export const COLUMNS = JSON.parse($("columns").textContent ?? "");

/** The names of the columns that can be filtered by. The address has them as ?name=value and ?not-name=value. */
export const FILTERS = COLUMNS.filter((column) => column.filter).map((column) => column.name);

/** The names of the columns that the text search looks into. */
export const SEARCHED = COLUMNS.filter((column) => column.search).map((column) => column.name);

/** The names of the fields that `field:value` in the text search may name. */
export const FIELDS = new Set(["severity", ...FILTERS, ...SEARCHED]);

/** The names of the columns whose values many rows share. */
export const SHARED = new Set(COLUMNS.filter((column) => column.shared).map((column) => column.name));

/** The columns with which the detail view offers related events. */
export const RELATED = COLUMNS.filter((column) => column.related);

/**
 * The columns of a view with their cells, from left to right.
 * @param {ViewName} view
 * @returns {{ column: Column, cell: Cell }[]}
 */
export function columnsOf(view) {
  return COLUMNS.flatMap((column) => {
    const cell = column[view];
    return cell ? [{ column, cell }] : [];
  });
}

/**
 * The column with this *name*.
 * @param {string} name
 */
export function columnNamed(name) {
  const column = COLUMNS.find((candidate) => candidate.name === name);
  if (!column) throw new Error(`there is no column ${name}`);
  return column;
}
