// The types of the page's modules, for the type check only: nothing here reaches a browser.

type Severity = "error" | "warning" | "info";
type ViewName = "events" | "trigger";
type Listener = () => void;

/** How a column is shown in one view of the table: `Cell` in columns.py. */
interface Cell {
  title: string;
  format: string;
  style: string;
}

/** `Column` in columns.py. */
interface Column {
  name: string;
  label: string;
  related: string;
  format: string;
  filter: boolean;
  search: boolean;
  csv: boolean;
  shared: boolean;
  events?: Cell;
  trigger?: Cell;
}

/** An event in the table. It has a property for each column; those named here are used by name. */
interface Row {
  seq: number;
  repeats: number;
  /** When it arrived, in ms since 1970. */
  received: number;
  /** When it happened, or when it arrived if it does not say, in ms since 1970. */
  at: number;
  severity: Severity;
  /** Is its time one? */
  isDated: boolean;
  /** 1 if it is an error, a warning or a consequence of one. */
  important: 0 | 1;
  /** 1, or more if an event with the same source and id and other data arrived before. */
  version: number;
  /** Is the severity read from the name of the type? */
  inferred: boolean;
  /** Is it no longer held? */
  gone: boolean;
  time: string;
  message: string;
  type: string;
  source: string;
  id: string;
  target: string;
  targettype: string;
  host: string;
  cluster: string;
  size: number;
  /** The id of the event that caused it, if it is the reply of a reaction. */
  cause: string;
  chain: string;
  user: string;
  operation?: Operation;
  storm?: Operation;
  divider?: undefined;
  [column: string]: unknown;
}

/** Rows that belong together. The others are folded into the head. */
interface Operation {
  head: Row;
  rows: Row[];
}

/** A line between rows that says why events are missing. */
interface Divider {
  divider: string;
  seq: number;
  gone?: undefined;
}

type Entry = Row | Divider;

/** The element of an entry in the table. */
type EntryElement = HTMLElement & { entry?: Entry };

/** A payload as the API gives it: `text` if it is UTF-8, else `base64`. */
interface Payload {
  attributes: Record<string, string>;
  size: number;
  text?: string;
  base64?: string;
  /** Was the text indented for reading? Then its bytes are not the event's own. */
  indented?: boolean;
}

/** The response of `api/events/N`. */
interface WholeEvent extends Payload {
  message: string;
  headers: Record<string, string>;
}

/** A part of a Trigger's filter: a comparison, or a combination of parts. */
interface FilterPart {
  dialect: string;
  matches: boolean;
  attribute?: string;
  expected?: string;
  /** Null if the event lacks the attribute. */
  actual?: string | null;
  parts?: FilterPart[];
}

interface TriggerVerdict {
  name: string;
  namespace: string;
  broker: string;
  subscriber: string;
  matches: boolean;
  parts?: FilterPart[];
  error?: string;
}

/** An entry of the event catalogue. */
interface EventType {
  title: string;
  description: string;
  causes: { description: string; remedies: string[] }[];
}

/** What the server counts, for the footer. */
interface Numbers {
  held: number;
  oldest: number | null;
  received: number;
  gaps: number;
  rejected: number;
  /** Errors and warnings among those held. */
  important: number;
  /** Why the last event could not be saved in the file. */
  unsaved: string | null;
  /** Why the file lacks earlier events. */
  damaged: string | null;
  sources?: SourceHealth[];
}

/** What the adapter that reads a source reported last. */
interface SourceHealth {
  source: string;
  reporter: string;
  /** When its last heartbeat arrived, in ms since 1970, or 0. */
  beat: number;
  /** Seconds between two heartbeats, or 0 if it sends none. */
  interval: number;
  /** Since when the source cannot be read, in ms since 1970, or null. */
  since: number | null;
  reason: string;
}

/** What this page may send, and the token that it sends with. */
interface Permission {
  targets: string[];
  token: string;
}

interface RejectedRequest {
  number: number;
  received: number;
  reason: string;
  headers: Record<string, string>;
  size: number;
  text?: string;
  base64?: string;
}

type DeadLetterState = "waiting" | "redriven" | "dropped";
type DeadLetterAction = "redrive" | "drop";

interface DeadLetter {
  number: number;
  state: DeadLetterState;
  source: string;
  id: string;
  type: string;
  subject: string;
  time: string;
  destination: string;
  code: number | null;
  /** The beginning of what the subscriber answered. */
  response: string;
  failures: number;
  firstFailed: string;
  lastFailed: string;
  redrives: number;
  note: string;
}

type DeadLetterCounts = Record<DeadLetterState | "unstored", number>;

interface DeadLetterPage {
  deadLetters: DeadLetter[];
  counts: DeadLetterCounts;
  next: number | null;
}

/** Elements of index.html that are more than an HTMLElement. */
interface PageElements {
  text: HTMLInputElement;
  span: HTMLSelectElement;
  facet: HTMLSelectElement;
  help: HTMLDialogElement;
  confirm: HTMLDialogElement;
  strip: HTMLCanvasElement;
  clear: HTMLButtonElement;
  redrive: HTMLButtonElement;
  drop: HTMLButtonElement;
  "redrive-all": HTMLButtonElement;
  "confirm-act": HTMLButtonElement;
  "confirm-reason": HTMLInputElement;
  "dead-letters-all": HTMLInputElement;
  "dead-letters-destination": HTMLSelectElement;
  "send-event": HTMLTextAreaElement;
  "send-target": HTMLSelectElement;
  "send-template": HTMLSelectElement;
}
