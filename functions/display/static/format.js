// How values are written for people.

/** "VmPoweredOffEvent" of "com.vmware.vsphere.VmPoweredOffEvent.v0"; other types are shown whole. */
export const shortType = (type) =>
  type.replace(/^(com\.vmware\.vsphere|dev\.vcenter-events)\./, "").replace(/\.v\d+$/, "");

export const number = (value) => value.toLocaleString("en");

const two = (value) => String(value).padStart(2, "0");

/** "2026-11-20 15:45:13" of ms since 1970, in UTC or local time; *fallback* where there is no such time. */
export function dateAndTime(ms, utc, fallback = "") {
  const moment = new Date(ms);
  if (Number.isNaN(moment.getTime())) return fallback;
  const local = new Date(ms - (utc ? 0 : moment.getTimezoneOffset() * 60_000));
  const text = local.toISOString();
  return `${text.slice(0, -14)} ${text.slice(-13, -5)}${utc ? "Z" : ""}`;
}

/** The same where there is little room: what is of today says no date. */
export function timeOrDate(ms, utc, fallback) {
  const written = dateAndTime(ms, utc, fallback);
  const today = dateAndTime(Date.now(), utc).slice(0, 11);
  return written.startsWith(today) ? written.slice(11) : written;
}

/** "15:45" */
export function timeOfDay(ms, utc) {
  const moment = new Date(ms);
  return utc
    ? `${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())}`
    : `${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

/** "512 B", "2.0 KB", "1.1 MB" */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  return size < 1_000_000 ? `${(size / 1000).toFixed(1)} KB` : `${(size / 1_000_000).toFixed(1)} MB`;
}

/** "12 ms", "3.4 s", "5 min", "2 h", "3 d"; "" where it is not known, or the clocks disagree. */
export function duration(ms) {
  if (!(ms >= 0)) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

export const SEVERITIES = ["error", "warning", "info"];
export const SIGNS = { error: "✖", warning: "▲", info: "●" };

/** "error", or "error, inferred from the name of the type" */
export const severityInWords = (row) =>
  row.inferred ? `${row.severity}, inferred from the type's name` : row.severity;
