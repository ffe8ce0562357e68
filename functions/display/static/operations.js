// Operations: the steps of one task, the reactions to an event and storms of equal events, folded into one row each.
//
// vCenter says that events belong together by their chain. Where it does not, as for the two halves of a power-on, the
// types, the target and the time say it. A reaction names the event that caused it.

import { shortType } from "./format.js";

/** The time in which the result of a step follows it, in ms: clones and migrations take minutes. */
const STEP_MS = 600_000;
/** The pause that ends a storm, and the time after which a storm begins again, in ms. */
const [STORM_PAUSE_MS, STORM_MS] = [1_000, 60_000];
const MIN_STORM = 4;

/**
 * The results of operations, and the steps that lead to them, by their short types without "Event".
 * @type {[string[], string[]][]}
 */
const STEPS_OF = [
  [
    ["VmPoweredOn", "VmFailedToPowerOn"],
    ["VmStarting", "VmResuming"],
  ],
  [["VmPoweredOff", "VmFailedToPowerOff"], ["VmStopping"]],
  [["VmSuspended", "VmFailedToSuspend"], ["VmSuspending"]],
  [
    ["VmCreated", "VmCloned", "VmDeployed", "VmCloneFailed", "VmDeployFailed"],
    ["VmBeingCreated", "VmInstanceUuidAssigned", "VmUuidAssigned", "VmMacAssigned", "VmBeingDeployed", "VmCreated"],
  ],
  [
    ["VmMigrated", "DrsVmMigrated", "VmFailedMigrate"],
    ["VmBeingMigrated", "VmBeingHotMigrated", "VmEmigrating"],
  ],
  [["VmRelocated", "VmRelocateFailed"], ["VmBeingRelocated"]],
  [["VmUpgradeComplete", "VmUpgradeFailed"], ["VmUpgrading"]],
  [["EnteredMaintenanceMode", "CanceledHostOperation"], ["EnteringMaintenanceMode"]],
];

/** @type {Map<string, number>} */
const FAMILIES = new Map(
  STEPS_OF.flatMap(([results, steps], family) => [...results, ...steps].map((name) => [name, family])),
);
const CREATION = FAMILIES.get("VmCreated");
const STEPS = new Set(["Task", "VmBeingCloned", ...STEPS_OF.flatMap(([, steps]) => steps)]);

/** @type {Record<Severity, number>} */
const WEIGHT = { info: 0, warning: 1, error: 2 };

/** @param {Row} row */
const classOf = (row) => shortType(row.type).replace(/Event$/, "");

/**
 * Does *row* only announce or prepare what another one reports?
 * @param {Row} row
 */
const isStep = (row) => STEPS.has(classOf(row));

/** Finds the operation of each row. The rows of an operation have it as `operation`, those of a storm as `storm`. */
export class Operations {
  constructor() {
    /**
     * By the source and chain, and by source, target and family until the result came.
     * @type {Map<string, Operation>}
     */
    this.open = new Map();
    /**
     * By source and id, for reactions.
     * @type {Map<string, Row>}
     */
    this.byId = new Map();
    /** @type {Map<string, Operation>} */
    this.storms = new Map();
  }

  clear() {
    this.open.clear();
    this.byId.clear();
    this.storms.clear();
  }

  /**
   * Find the operations of new *rows*. Return the rows that head one that grew.
   * @param {Row[]} rows
   * @returns {Set<Row>}
   */
  add(rows) {
    /** @type {Set<Row>} */
    const grown = new Set();
    for (const row of rows) {
      this.byId.set(`${row.source} ${row.id}`, row);
      const operation = row.cause ? this.causeOf(row) : this.operationOf(row);
      if (operation) grow(operation, row, grown);
      this.addToStorm(row, grown);
    }
    if (this.byId.size > 30_000) this.prune();
    return grown;
  }

  /** @param {Row} row */
  causeOf(row) {
    const cause = this.byId.get(`${row.source} ${row.cause}`);
    if (!cause || cause.gone) return null;
    cause.operation ??= { head: cause, rows: [cause] };
    row.operation = cause.operation;
    return cause.operation;
  }

  /**
   * The operation to which *row* belongs, or null if it may be the first of one.
   * @param {Row} row
   */
  operationOf(row) {
    const name = classOf(row);
    const family = FAMILIES.get(name);
    const keys = [];
    if (row.chain) keys.push(`${row.source} chain ${row.chain}`);
    if (family !== undefined && row.target) keys.push(`${row.source} ${family} ${row.target}`);
    // A clone is announced for its original, so only the user says that the two belong together.
    const clone = `${row.source} clone ${row.user}`;
    if (name === "VmBeingCloned" || (family === CREATION && this.open.has(clone))) keys.push(clone);
    let operation = null;
    for (const key of keys) {
      const present = this.open.get(key);
      // A VM that was deleted is created again: another operation.
      const isSecond = name === "VmBeingCreated" && present && classOf(present.head) === "VmCreated";
      if (present && !isSecond && !present.head.gone && Math.abs(row.at - present.head.at) < STEP_MS)
        operation ??= present;
    }
    const joined = operation;
    operation ??= { head: row, rows: [row] };
    for (const key of keys) this.open.set(key, operation);
    // The next power-on of the same VM is another operation. A clone is created first.
    if (family !== undefined && !isStep(row)) {
      this.open.delete(`${row.source} ${family} ${row.target}`);
      if (family === CREATION) this.open.delete(clone);
    }
    row.operation = operation;
    return joined;
  }

  /**
   * @param {Row} row
   * @param {Set<Row>} grown
   */
  addToStorm(row, grown) {
    if (isStep(row) || row.cause || !row.host) return;
    const key = [row.source, row.type, row.severity, row.user, row.host].join(" ");
    let storm = this.storms.get(key);
    const last = storm?.rows.at(-1);
    if (!storm || !last || Math.abs(row.at - last.at) > STORM_PAUSE_MS || row.at - storm.rows[0].at > STORM_MS) {
      storm = { head: row, rows: [] };
      this.storms.set(key, storm);
    }
    storm.rows.push(row);
    storm.head = row;
    row.storm = storm;
    if (storm.rows.length >= MIN_STORM) grown.add(row);
  }

  /** Forget what is no longer held. */
  prune() {
    for (const [key, row] of this.byId) if (row.gone) this.byId.delete(key);
    for (const map of [this.open, this.storms]) {
      for (const [key, operation] of map) if (operation.head.gone) map.delete(key);
    }
  }
}

/**
 * Add *row* to *operation*. Its head is its last result. Reactions and steps follow it.
 * @param {Operation} operation
 * @param {Row} row
 * @param {Set<Row>} grown
 */
function grow(operation, row, grown) {
  operation.rows.push(row);
  if (!row.cause && (isStep(operation.head) || !isStep(row)) && row.seq > operation.head.seq) operation.head = row;
  grown.add(operation.head);
}

/**
 * The row in which *row* is folded, or null if it stands for itself. Nothing is folded into what is less severe.
 * @param {Row} row
 */
export function foldedInto(row) {
  const { operation, storm } = row;
  if (operation && operation.head !== row && !operation.head.gone && isNotWorse(row, operation.head)) {
    return operation.head;
  }
  return storm && storm.rows.length >= MIN_STORM && storm.head !== row && !storm.head.gone ? storm.head : null;
}

/**
 * @param {Row} row
 * @param {Row} head
 */
const isNotWorse = (row, head) => WEIGHT[row.severity] <= WEIGHT[head.severity];

/**
 * The other rows of the operation or storm of *row*, oldest first, with *row* itself. Empty if it is alone.
 * @param {Row} row
 * @returns {Row[]}
 */
export function stepsOf(row) {
  const rows = [...(row.operation?.rows ?? [])];
  if (row.storm && row.storm.rows.length >= MIN_STORM) rows.push(...row.storm.rows);
  const held = [...new Set(rows)].filter((other) => !other.gone);
  return held.length > 1 ? held.sort((one, other) => one.at - other.at || one.seq - other.seq) : [];
}

/**
 * What is folded into *row*, in words: "3 steps", "2 reactions", "×30". "" if nothing is.
 * @param {Row} row
 */
export function foldedInWords(row) {
  const words = [];
  const { operation, storm } = row;
  if (storm && storm.head === row && storm.rows.length >= MIN_STORM) words.push(`×${storm.rows.length}`);
  if (operation?.head === row) {
    const others = operation.rows.filter((other) => other !== row && !other.gone);
    const reactions = others.filter((other) => other.cause).length;
    const steps = others.length - reactions;
    if (steps) words.push(`${steps + 1} steps`);
    if (reactions) words.push(`${reactions} reaction${reactions === 1 ? "" : "s"}`);
  }
  return words.join(", ");
}
