/**
 * JSON-lines logging.
 *
 * Lines are gathered and written in batches, so that an access log costs a warm request next to
 * nothing; errors are written at once.
 *
 * @module
 */

/** How much a line matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Members of a line besides time, level and message. Values must hold no secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes structured lines. */
export interface Logger {
  /** Writes one line when `level` is enabled. */
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** Writes out whatever is buffered. */
  flush(): void;
}

/** What a logger needs. */
export interface LoggerOptions {
  /** Receives complete lines, each ended by a newline. */
  readonly write: (lines: string) => void;
  /** The lowest level that is written. */
  readonly level: LogLevel;
  readonly now: () => Date;
  /** How long a line may wait, in milliseconds. 0 writes at once. Default 100. */
  readonly flushAfterMs?: number;
  /** Members that lead from a line to the trace it belongs to; undefined outside of traces. */
  readonly readTraceIds?: () => LogFields | undefined;
}

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Characters gathered before a batch is written regardless of time. */
const MAX_BUFFERED_CHARS = 64 * 1024;

/** Causes are followed this deep. */
const MAX_CAUSE_DEPTH = 4;

/** Creates a logger. Call `flush()` before the process ends. */
export function createLogger(options: LoggerOptions): Logger {
  const { write, level: lowest, now, flushAfterMs = 100, readTraceIds } = options;
  let buffer = "";
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const lines = buffer;
    buffer = "";
    if (lines !== "") write(lines);
  }

  return {
    flush,
    log(level, message, fields) {
      if (SEVERITY[level] < SEVERITY[lowest]) return;
      const line = { time: now().toISOString(), level, message, ...fields, ...readTraceIds?.() };
      buffer += JSON.stringify(line, replaceError) + "\n";
      if (level === "error" || flushAfterMs === 0 || buffer.length > MAX_BUFFERED_CHARS) flush();
      else timer ??= setTimeout(flush, flushAfterMs);
    },
  };
}

/** A logger that drops everything, for tests and tools. */
export const SILENT_LOGGER: Logger = { log() {}, flush() {} };

function replaceError(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  return value instanceof Error ? describeError(value) : value;
}

/** An error as plain data: name, message, code, stack and its causes. */
export function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code: String(code) }),
    stack: error.stack?.split("\n").slice(1, 12).map((line) => line.trim()),
    ...(error.cause === undefined || depth >= MAX_CAUSE_DEPTH
      ? {}
      : { cause: describeError(error.cause, depth + 1) }),
  };
}
