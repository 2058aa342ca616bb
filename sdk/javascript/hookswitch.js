// Helpers for plugins of Hookswitch in JavaScript. `hookswitch plugin new --lang javascript` writes this file beside the
// plugin; it is yours: keep it, change it, or write against the contract itself (sdk/wit/plugin.wit).
import { now as clockNow } from 'hookswitch:plugin/clock@1.0.0';
import { get as configGet } from 'hookswitch:plugin/config@1.0.0';
import { send } from 'hookswitch:plugin/http@1.0.0';
import { write } from 'hookswitch:plugin/log@1.0.0';
import { get as lookupGet } from 'hookswitch:plugin/lookup@1.0.0';

/**
 * @typedef {object} Event
 * @property {string} id
 * @property {string} source
 * @property {string} type for example `order.created`
 * @property {string | undefined} subject
 * @property {Date} time
 * @property {any} data
 * @property {Record<string, any>} extensions CloudEvents extension attributes
 *
 * @typedef {object} Decision which message to send to whom, and when; as in a route
 * @property {string} [template] only with `cancel` there may be none
 * @property {string[]} [groups]
 * @property {string[]} [users]
 * @property {string[]} [contacts] phone numbers with country code, or WhatsApp user ids
 * @property {{groups?: string[], users?: string[], contacts?: string[]}} [otherwise] who gets it where nobody else can be reached
 * @property {Record<string, any>} [context]
 * @property {string} [dedupeKey]
 * @property {string} [dedupeFor] for example `1h`
 * @property {string} [key] by which it is withdrawn while it waits
 * @property {string[]} [cancel] keys of messages of earlier events that are withdrawn
 * @property {string} [atMost] for example `3 per 1d`
 * @property {string} [hours] for example `MON-FRI 08:00-17:00 Africa/Harare`
 * @property {string} [collect] for example `10m by group`
 * @property {Date | string} [sendAt]
 * @property {string} [after] for example `10m`
 * @property {Date | string} [expiresAt]
 * @property {'urgent' | 'normal' | 'bulk'} [priority]
 * @property {'auto' | 'template' | 'text'} [mode]
 * @property {string} [language] for example `pt_BR`
 * @property {boolean} [reply]
 * @property {string} [from]
 * @property {string} [reason]
 *
 * @typedef {{ skip: string }} Skip
 */

/** A value under `config` in plugin.yaml. */
export function config(key, otherwise) {
  const value = configGet(key);
  return value === undefined ? otherwise : JSON.parse(value);
}

/** The time, which stands still during a call. */
export const now = () => new Date(clockNow());

/** The row with this key of a table of plugin.yaml; undefined if there is none. */
export function lookup(table, key) {
  const row = lookupGet(table, String(key));
  return row === undefined ? undefined : JSON.parse(row);
}

/** Notifies nobody, and records why. @returns {Skip} */
export const skip = (why) => ({ skip: why });

/** Lines in the host's log: `log.info("…")`. */
export const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [level, (message) => write(level, String(message))]),
);

/**
 * Sends a request to an address that plugin.yaml names and the operator grants. Throws an error if there is no answer.
 * `body` may be a string or any JSON.
 */
export function request(url, { method = 'GET', headers = {}, body, timeoutMs } = {}) {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  try {
    const answer = send({
      method,
      url,
      headers: Object.entries(headers),
      body: text === undefined ? undefined : new TextEncoder().encode(text),
      timeoutMs,
      hints: [],
    });
    const read = new TextDecoder().decode(answer.body);
    return { status: answer.status, headers: answer.headers, text: read, json: () => JSON.parse(read) };
  } catch (error) {
    const { tag, val } = error.payload ?? { tag: String(error) };
    throw new Error(`${method} ${url}: ${val ? `${tag}: ${val}` : tag}`);
  }
}

const json = (value) => (value === undefined ? undefined : JSON.stringify(value));
const time = (value) => (value instanceof Date ? value.toISOString() : value);

/** @param {Decision} decision */
function toContract(decision) {
  const { template = '', groups = [], users = [], contacts = [], context = {}, sendAt, after, ...rest } = decision;
  const { dedupeKey, dedupeFor, collect, expiresAt, priority, mode, language, reply, from, reason, ...others } = rest;
  const { key, cancel, atMost, hours, otherwise, ...unknown } = others;
  for (const name of Object.keys(unknown)) {
    throw new Error(`a decision has no ${name}`);
  }
  const hints = {
    dedupe_for: dedupeFor, collect, language, reply: reply ? 'true' : undefined, from,
    key, at_most: atMost, hours, cancel: json(cancel), else: json(otherwise),
  };
  const at = sendAt === undefined ? undefined : { tag: 'send-at', val: time(sendAt) };
  return {
    template, groups, users, contacts, dedupeKey, priority, mode, reason,
    context: JSON.stringify(context),
    send: after === undefined ? at : { tag: 'after', val: after },
    expiresAt: time(expiresAt),
    hints: Object.entries(hints).filter(([, value]) => value !== undefined),
  };
}

/**
 * What a plugin exports: `export const router = plugin((event) => …)`. An error that is thrown fails this event.
 * @param {(event: Event) => Decision | Decision[] | Skip} decide
 */
export const plugin = (decide) => ({
  decide({ kind, time: at, data, extensions, id, source, subject }) {
    try {
      const event = { id, source, subject, type: kind, time: new Date(at) };
      const answer = decide({ ...event, data: JSON.parse(data), extensions: JSON.parse(extensions) });
      if (typeof answer?.skip === 'string') {
        return { tag: 'skip', val: answer.skip };
      }
      return { tag: 'notify', val: [answer].flat().map(toContract) };
    } catch (error) {
      throw { message: error?.message ?? String(error), hints: [] };
    }
  },
});
