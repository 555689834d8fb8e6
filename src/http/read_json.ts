import { AppError } from "../errors.ts";
import { BodyReader } from "../uploads/body_reader.ts";
import { takeRequestBody } from "./middleware/request_body.ts";

/** How long a small body may take. Milliseconds. */
const TIMEOUT_MS = 10_000;

/**
 * Reads a small JSON object from a request, never more than `maxBytes` of it, and for no longer than
 * ten seconds. Where the body is `optional`, none at all is an empty object.
 *
 * @throws {AppError} `body_too_large`, `body_timeout`, `incomplete_body`, `invalid_request` (no
 * JSON object).
 */
export async function readJsonObject(
  request: Request,
  options: { readonly maxBytes: number; readonly optional?: boolean },
): Promise<Record<string, unknown>> {
  const { maxBytes } = options;
  using reader = new BodyReader(takeRequestBody(request), {
    maxBytes,
    idleTimeoutMs: TIMEOUT_MS,
    // All of it has to come within one time-out.
    minWindowBytes: maxBytes + 1,
    signal: new AbortController().signal,
  });
  const decoder = new TextDecoder();
  let text = "";
  for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
    text += decoder.decode(chunk, { stream: true });
  }
  text += decoder.decode();
  // Over a socket a request has a stream for a body even when it has none.
  if (options.optional && text === "") return {};
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed();
  return value as Record<string, unknown>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(cause);
  }
}

function malformed(cause?: unknown): AppError {
  return new AppError("invalid_request", "The body must be a JSON object", { cause });
}
