import assert from "node:assert/strict";
import { createLogger } from "../../../src/telemetry/logger.ts";
import { AppError } from "../../../src/errors.ts";

function createRecordingLogger(level: "debug" | "info" = "info") {
  const written: string[] = [];
  const logger = createLogger({
    write: (lines) => void written.push(lines),
    level,
    now: () => new Date("2026-01-02T03:04:05.006Z"),
  });
  return { written, logger };
}

Deno.test("createLogger() gathers lines and writes them as one batch of JSON lines", () => {
  const { written, logger } = createRecordingLogger();
  logger.log("info", "first", { n: 1 });
  logger.log("info", "second\nline", { big: 5n });
  assert.deepEqual(written, []);
  logger.flush();
  assert.deepEqual(written, [
    '{"time":"2026-01-02T03:04:05.006Z","level":"info","message":"first","n":1}\n' +
    '{"time":"2026-01-02T03:04:05.006Z","level":"info","message":"second\\nline","big":5}\n',
  ]);
});

Deno.test("createLogger() writes errors at once, with their causes", () => {
  const { written, logger } = createRecordingLogger();
  const cause = new Error("connection refused");
  logger.log("error", "failed", {
    error: new AppError("catalog_unavailable", "Try again", { cause }),
  });
  const line = JSON.parse(written[0]);
  assert.equal(line.error.code, "catalog_unavailable");
  assert.equal(line.error.cause.message, "connection refused");
});

Deno.test("createLogger() drops what is below its level", () => {
  const { written, logger } = createRecordingLogger();
  logger.log("debug", "noise");
  logger.flush();
  assert.deepEqual(written, []);
});

Deno.test("createLogger() adds the ids of the active trace, if there is one", () => {
  const written: string[] = [];
  let ids: { traceId: string } | undefined = { traceId: "ab".repeat(16) };
  const logger = createLogger({
    write: (lines) => void written.push(lines),
    level: "info",
    now: () => new Date(0),
    flushAfterMs: 0,
    readTraceIds: () => ids,
  });
  logger.log("info", "inside");
  ids = undefined;
  logger.log("info", "outside");
  assert.equal(JSON.parse(written[0]).traceId, "ab".repeat(16));
  assert.equal("traceId" in JSON.parse(written[1]), false);
});
