import { AppError } from "../errors.ts";

/**
 * Reads a small JSON object from a request, never more than `maxBytes` of it.
 *
 * @throws {AppError} `body_too_large`, `invalid_request` (no JSON object).
 */
export async function readJsonObject(
  request: Request,
  options: { readonly maxBytes: number },
): Promise<Record<string, unknown>> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  // Leaving the loop by an exception cancels the body.
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > options.maxBytes) {
      throw new AppError("body_too_large", `The body is longer than ${options.maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  const value = parse(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text());
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
