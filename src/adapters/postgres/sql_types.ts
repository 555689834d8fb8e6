import type postgres from "postgres";

/** What a query runs on: the tagged template of the driver, without what would need a session. */
// deno-lint-ignore ban-types -- the driver spells "no custom types" as {}
export type Sql = postgres.ISql<{}>;

/** A part of a query, to be put into another. */
export type SqlFragment = postgres.PendingQuery<postgres.Row[]>;

/** Oids of `pg_type`, which never change. */
const OID = { date: 1082, int8: 20, int8Array: 1016, textArray: 1009, uuidArray: 2951 } as const;

/**
 * How values cross the wire where the driver's own choice does not fit.
 *
 * - `bigint` is a number: sizes and counts here stay far below 2^53, and one beyond fails loudly.
 * - `date` stays `YYYY-MM-DD`: as an instant it would shift with the time zone.
 * - Arrays are declared here because the driver would ask each new connection for their oids.
 */
export const SQL_TYPES = {
  int8: {
    to: OID.int8,
    from: [OID.int8],
    serialize: String,
    parse: parseSafeInteger,
  },
  date: {
    to: OID.date,
    from: [OID.date],
    serialize: (value: unknown) => value instanceof Date ? formatDay(value) : String(value),
    parse: (text: string) => text,
  },
  textArray: arrayType(OID.textArray, (text) => text),
  uuidArray: arrayType(OID.uuidArray, (text) => text),
  int8Array: arrayType(OID.int8Array, parseSafeInteger),
};

/** The UTC day of an instant, `YYYY-MM-DD`. */
export function formatDay(instant: Date): string {
  return instant.toISOString().slice(0, 10);
}

function parseSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`Cannot read a bigint as a number: current value is ${text}`);
  }
  return value;
}

function arrayType<T>(oid: number, parseItem: (text: string) => T) {
  return {
    to: oid,
    from: [oid],
    serialize: (value: unknown) => Array.isArray(value) ? formatArray(value) : String(value),
    parse: (text: string) => parseArray(text).map(parseItem),
  };
}

/** Writes a one-dimensional array in Postgres' text form; every item quoted. */
function formatArray(items: readonly unknown[]): string {
  const quoted = items.map((item) =>
    item === null ? "NULL" : `"${String(item).replace(/["\\]/g, "\\$&")}"`
  );
  return `{${quoted.join(",")}}`;
}

/** Reads a one-dimensional array without nulls from Postgres' text form. */
function parseArray(text: string): string[] {
  const items: string[] = [];
  for (const match of text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/g)) {
    items.push(match[1] === undefined ? match[2] : match[1].replace(/\\(.)/g, "$1"));
  }
  return items;
}
