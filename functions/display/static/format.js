// How values are written for people.

/** Lengths of time in ms. */
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/**
 * "VmPoweredOffEvent" for "com.vmware.vsphere.VmPoweredOffEvent.v0". Other types are shown whole.
 * @param {string} type
 */
export const shortType = (type) =>
  type.replace(/^(com\.vmware\.vsphere|dev\.vcenter-events)\./, "").replace(/\.v\d+$/, "");

/** @type {Record<string, string>} */
const WORDS = { Vm: "VM", Das: "HA", Ha: "HA", Drs: "DRS", Dvs: "DVS", Id: "ID", Uuid: "UUID", Ip: "IP", Ssh: "SSH" };

/**
 * "VM powered off" for "com.vmware.vsphere.VmPoweredOffEvent.v0". A type that is not a class name keeps its last part.
 * @param {string} type
 */
export function typeInWords(type) {
  const short = shortType(type);
  const name = /^com\.vmware\.vc\./.test(short) ? short.slice(short.lastIndexOf(".") + 1) : short;
  if (!/^[A-Z][A-Za-z0-9]*$/.test(name)) return short;
  const words = name.replace(/Event$/, "").match(/[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+/g) ?? [short];
  const spoken = words.map((word) => WORDS[word] ?? (/^[A-Z]+$/.test(word) ? word : word.toLowerCase()));
  return [spoken[0][0].toUpperCase() + spoken[0].slice(1), ...spoken.slice(1)].join(" ");
}

/**
 * "10,000"
 * @param {number} value
 */
export const number = (value) => value.toLocaleString("en");

/**
 * "1 event", "2 events"
 * @param {number} count
 * @param {string} noun
 */
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

/** @param {number} value */
const two = (value) => String(value).padStart(2, "0");

/**
 * "2026-11-20 15:45:13" for ms since 1970, in UTC or local time. *fallback* if there is no such time.
 * @param {number} ms
 */
export function dateAndTime(ms, utc = false, fallback = "") {
  const moment = new Date(ms);
  if (Number.isNaN(moment.getTime())) return fallback;
  const local = new Date(ms - (utc ? 0 : moment.getTimezoneOffset() * 60_000));
  const text = local.toISOString();
  return `${text.slice(0, -14)} ${text.slice(-13, -5)}${utc ? "Z" : ""}`;
}

/**
 * The same where there is little room: a time of today without its date.
 * @param {number} ms
 */
export function timeOrDate(ms, utc = false, fallback = "") {
  const written = dateAndTime(ms, utc, fallback);
  const today = dateAndTime(Date.now(), utc).slice(0, 11);
  return written.startsWith(today) ? written.slice(11) : written;
}

/**
 * "15:45"
 * @param {number} ms
 */
export function timeOfDay(ms, utc = false) {
  const moment = new Date(ms);
  return utc
    ? `${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())}`
    : `${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

/**
 * "15:45:13"
 * @param {number} ms
 */
export const exactTimeOfDay = (ms, utc = false) => dateAndTime(ms, utc).slice(11);

/**
 * "just now", "8 s ago", "5 min ago"
 * @param {number} ms
 */
export const ago = (ms) => (ms < 2000 ? "just now" : `${inWhole(ms)} ago`);

/**
 * "8 s", "5 min"
 * @param {number} ms
 */
export const inWhole = (ms) => duration(Math.floor(ms / 1000) * 1000).replace(/\.0 s$/, " s");

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * ms since 1970 of a time as CloudEvents write it. NaN for any other text, and for days that no calendar has.
 * @param {string} text
 */
export function timeIn(text) {
  const [, year, month, day] = RFC_3339.exec(text) ?? [];
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number(day) <= days ? Date.parse(text) : NaN;
}

/**
 * "host connection lost" for "com.vmware.vsphere.HostConnectionLostEvent.v0"
 * @param {string} type
 */
export const wordsOfType = (type) =>
  shortType(type)
    .replace(/Event$/, "")
    .replace(/([a-z0-9])(?=[A-Z])/g, "$1 ")
    .replace(/\b([A-Z])(?=[a-z])/g, (letter) => letter.toLowerCase())
    .replace(/\bvm\b/g, "VM");

/**
 * "512 B", "2.0 KB", "1.1 MB"
 * @param {number} size
 */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  return size < 1_000_000 ? `${(size / 1000).toFixed(1)} KB` : `${(size / 1_000_000).toFixed(1)} MB`;
}

/**
 * "12 ms", "3.4 s", "5 min", "2 h", "3 d". "" if it is unknown, or negative because clocks differ.
 * @param {number} ms
 */
export function duration(ms) {
  if (!(ms >= 0)) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

/** @type {Severity[]} */
export const SEVERITIES = ["error", "warning", "info"];
/** @type {Record<Severity, string>} */
export const SIGNS = { error: "✖", warning: "▲", info: "●" };

/**
 * "error", or "error, inferred from the type's name"
 * @param {Row} row
 */
export const severityInWords = (row) =>
  row.inferred ? `${row.severity}, inferred from the type's name` : row.severity;
