import { parseArgs } from "node:util";
import { isScope, type Scope, SCOPES } from "../core/principal.ts";
import { createApiKey } from "../keys/api_key.ts";
import type { KeyRegistry, ListedKey } from "../keys/ports.ts";

/** What {@linkcode runKeysCommand} needs. */
export interface KeysCommandDeps {
  readonly keys: KeyRegistry;
  readonly printLine: (text: string) => void;
  readonly printErrorLine: (text: string) => void;
  readonly now: () => Date;
}

const USAGE = `Usage:
  keys add --scopes upload,read [--tenant default] [--label TEXT] [--expires 90d|2027-01-31]
           [--bytes-per-day 10GiB] [--concurrent-uploads 4]
  keys list [--tenant NAME]
  keys revoke ID`;

/** A wrong use of the command; the message says what is wrong. */
class UsageError extends Error {}

/**
 * `keys add|list|revoke`. Returns the exit code: 0 done, 1 no such key, 2 wrong usage.
 */
export async function runKeysCommand(
  args: readonly string[],
  deps: KeysCommandDeps,
): Promise<number> {
  const [action = "", ...rest] = args;
  try {
    switch (action) {
      case "add":
        return await addKey(rest, deps);
      case "list":
        return await listKeys(rest, deps);
      case "revoke":
        return await revokeKey(rest, deps);
      default:
        throw new UsageError(action ? `there is no action "${action}"` : "an action is missing");
    }
  } catch (error) {
    const isUsage = error instanceof UsageError || isParseArgsError(error);
    if (!isUsage) throw error;
    deps.printErrorLine(`facet: keys: ${error.message}\n${USAGE}`);
    return 2;
  }
}

async function addKey(args: readonly string[], deps: KeysCommandDeps): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tenant: { type: "string", default: "default" },
      scopes: { type: "string" },
      label: { type: "string", default: "" },
      expires: { type: "string" },
      "bytes-per-day": { type: "string" },
      "concurrent-uploads": { type: "string" },
    },
  });
  const { id, key, keySha256 } = createApiKey();
  await deps.keys.add({
    id,
    keySha256,
    tenant: parseTenant(values.tenant),
    scopes: parseScopes(values.scopes),
    label: values.label,
    expiresAt: values.expires === undefined ? null : parseExpiry(values.expires, deps.now()),
    bytesPerDay: values["bytes-per-day"] === undefined ? null : parseBytes(values["bytes-per-day"]),
    concurrentUploads: values["concurrent-uploads"] === undefined
      ? null
      : parseCount(values["concurrent-uploads"]),
  });
  deps.printLine(key);
  deps.printErrorLine(`facet: added ${id}; the key above is shown this once`);
  return 0;
}

async function listKeys(args: readonly string[], deps: KeysCommandDeps): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { tenant: { type: "string" } } });
  const keys = await deps.keys.list(values.tenant ?? null);
  if (keys.length === 0) deps.printErrorLine("facet: there are no keys");
  for (const key of keys) deps.printLine(formatKey(key, deps.now()));
  return 0;
}

async function revokeKey(args: readonly string[], deps: KeysCommandDeps): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true });
  if (positionals.length !== 1) throw new UsageError("revoke takes the id of one key");
  const [id] = positionals;
  if (!await deps.keys.revoke(id)) {
    deps.printErrorLine(`facet: there is no key ${id}`);
    return 1;
  }
  deps.printLine(`revoked ${id}`);
  return 0;
}

/** One line per key, its fields separated by tabs. */
function formatKey(key: ListedKey, now: Date): string {
  const status = key.revokedAt
    ? `revoked ${formatMinute(key.revokedAt)}`
    : key.expiresAt && key.expiresAt <= now
    ? `expired ${formatMinute(key.expiresAt)}`
    : "active";
  return [
    key.id,
    status,
    `tenant=${key.tenant}`,
    `scopes=${key.scopes.join(",")}`,
    `created=${formatMinute(key.createdAt)}`,
    `used=${key.lastUsedAt ? formatMinute(key.lastUsedAt) : "never"}`,
    `expires=${key.expiresAt ? formatMinute(key.expiresAt) : "never"}`,
    `bytes/day=${key.bytesPerDay ?? "unlimited"}`,
    `concurrent=${key.concurrentUploads ?? "default"}`,
    // Labels are free text: a control character would forge a line.
    // deno-lint-ignore no-control-regex -- control characters are what is removed
    key.label.replace(/[\u0000-\u001f\u007f-\u009f]/g, " "),
  ].join("\t");
}

function formatMinute(instant: Date): string {
  return `${instant.toISOString().slice(0, 16)}Z`;
}

function parseTenant(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return text;
  throw new UsageError("--tenant takes 1 to 64 letters, digits, '.', '_' and '-'");
}

function parseScopes(text: string | undefined): Scope[] {
  const names = (text ?? "").split(",").map((name) => name.trim()).filter(Boolean);
  const scopes = names.filter(isScope);
  if (scopes.length === 0 || scopes.length < names.length) {
    throw new UsageError(`--scopes takes some of ${SCOPES.join(", ")}, separated by commas`);
  }
  return [...new Set(scopes)];
}

function parseExpiry(text: string, now: Date): Date {
  const days = /^([1-9]\d{0,4})d$/.exec(text);
  const instant = days
    ? new Date(now.getTime() + Number(days[1]) * 86_400_000)
    : new Date(/^\d{4}-\d{2}-\d{2}(T.+)?$/.test(text) ? text : NaN);
  if (Number.isNaN(instant.getTime()) || instant <= now) {
    throw new UsageError("--expires takes days like 90d, or a date in the future like 2027-01-31");
  }
  return instant;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function parseBytes(text: string): number {
  const match = /^([1-9]\d{0,14})([KMGT]iB)?$/.exec(text);
  const bytes = match ? Number(match[1]) * UNITS[match[2] ?? ""] : NaN;
  if (!Number.isSafeInteger(bytes)) {
    throw new UsageError("--bytes-per-day takes a size like 500MiB or 10GiB");
  }
  return bytes;
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UsageError("--concurrent-uploads takes a positive number");
}

function isParseArgsError(error: unknown): error is Error {
  return error instanceof Error &&
    String((error as { code?: string }).code).startsWith("ERR_PARSE_ARGS");
}
