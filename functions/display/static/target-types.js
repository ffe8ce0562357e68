// The type of an object as a sign before its name. Drawn here, because no font has a cluster or a datastore.

/** @type {Record<string, string>} */
const GLYPHS = {
  vm: "M1.5 4.5h8v8h-8zM4.5 4.5v-3h8v8h-3",
  host: "M3.5 1.5h7v11h-7zM5.5 4h3M5.5 6.5h3M7 10v.5",
  cluster: "M1.5 2.5h4v9h-4zM8.5 2.5h4v9h-4zM5.5 5.5h3M5.5 8.5h3",
  datastore: "M2.5 3.5c0-2.7 9-2.7 9 0v7c0 2.7-9 2.7-9 0zM2.5 3.5c0 2.7 9 2.7 9 0M2.5 7c0 2.7 9 2.7 9 0",
  datacenter: "M1.5 12.5v-7l5.5-4 5.5 4v7zM5.5 12.5v-4h3v4",
  network: "M5 1.5h4v3H5zM1.5 9.5h4v3h-4zM8.5 9.5h4v3h-4zM7 4.5V7M3.5 9.5V7h7v2.5",
  switch: "M1.5 3.5h11v7h-11zM4 8.5v-2M7 8.5v-2M10 8.5v-2",
  folder: "M1.5 11.5v-9h4l1.5 2h5.5v7z",
};
GLYPHS["datastore cluster"] = GLYPHS.datastore;
GLYPHS["resource pool"] = GLYPHS.vApp = GLYPHS.folder;

const SVG = "http://www.w3.org/2000/svg";

/**
 * "VM" for the type "vm".
 * @param {string} type
 */
export const targetTypeInWords = (type) => (type === "vm" ? "VM" : type);

/**
 * "VM web-01". A name that says its type already stays as it is.
 * @param {Row} row
 */
export const targetInWords = ({ targettype, target }) =>
  !targettype || target.startsWith(`${targettype}/`) ? target : `${targetTypeInWords(targettype)} ${target}`;

/**
 * The sign of a *type*, labeled with the type for who does not see it. Null for a type without a sign.
 * @param {string} type
 */
export function glyph(type) {
  if (!Object.hasOwn(GLYPHS, type)) return null;
  const sign = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const attributes = { class: "glyph", viewBox: "0 0 14 14", role: "img", "aria-label": targetTypeInWords(type) };
  for (const [name, value] of Object.entries(attributes)) sign.setAttribute(name, value);
  path.setAttribute("d", GLYPHS[type]);
  sign.append(path);
  return sign;
}
