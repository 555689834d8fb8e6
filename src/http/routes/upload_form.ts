/**
 * `POST /v1/assets` with `multipart/form-data`: many files in one request, each judged by itself.
 *
 * @module
 */
import type { Context } from "hono";
import { AppError } from "../../errors.ts";
import { BodyReader } from "../../uploads/body_reader.ts";
import type { Ingest, UploadResult, Visibility } from "../../uploads/ports.ts";
import { formatAsset, formatAssetPath, statusOfUpload } from "../asset_answer.ts";
import { readDigests } from "../content_digest.ts";
import type { HttpEnv } from "../http_env.ts";
import { takeRequestBody } from "../middleware/request_body.ts";
import { type FormLimits, type FormPart, readForm } from "../multipart_form.ts";
import { describeProblem, isReported, statusOf, toAppError } from "../problem.ts";
import type { UploadAdmission } from "../upload_admission.ts";
import {
  assertDeclaredSize,
  assertIdentityEncoding,
  parseContentLength,
  parseVisibility,
} from "../upload_headers.ts";

/** What a form upload needs. Sizes in bytes, durations in milliseconds. */
export interface UploadFormDeps {
  readonly ingest: Ingest;
  readonly admission: UploadAdmission;
  readonly form: FormLimits;
  /** Longest file, and longest sum of all parts of a form. */
  readonly maxBytes: number;
  /** Longest silence of a client. */
  readonly idleTimeoutMs: number;
  /** Bytes that must arrive during each `idleTimeoutMs` of waiting. */
  readonly minWindowBytes: number;
  /** Is told of files that failed by our fault, which the answer as a whole does not show. */
  readonly reportProblem?: ((error: AppError, requestId: string) => void) | undefined;
}

/** What became of one file. */
interface FileOutcome {
  readonly field: string;
  readonly fileName: string | null;
  readonly result: UploadResult | AppError;
}

/** What boundaries and headers may add to the files of a form. */
const FRAMING_BYTES = 1024 * 1024;

/**
 * Takes every file of the form and answers with one result for each, in order: 201 or 200 when all
 * were taken (201 if any is new), 207 when some were; when none was, the first one's problem. A
 * form that breaks off is a problem with the `results` so far: those files are kept.
 */
export async function uploadForm(c: Context<HttpEnv>, deps: UploadFormDeps): Promise<Response> {
  const { headers } = c.req.raw;
  assertIdentityEncoding(headers.get("content-encoding"));
  if (headers.has("content-digest") || headers.has("repr-digest")) {
    // It could be checked only when the files are stored already.
    throw new AppError("invalid_header", "Send digests in the headers of each part of a form");
  }
  const contentLength = parseContentLength(headers.get("content-length"));
  const maxBytes = deps.maxBytes + FRAMING_BYTES;
  assertDeclaredSize(contentLength, maxBytes);
  const visibility = parseVisibility(new URL(c.req.url).searchParams.get("visibility"));
  const outcomes: FileOutcome[] = [];
  await using admitted = await deps.admission.admit(c.get("principal"), contentLength);
  using reader = new BodyReader(admitted.meter(takeRequestBody(c.req.raw)), {
    ...deps,
    maxBytes,
    contentLength,
    signal: new AbortController().signal,
  });
  const contentType = headers.get("content-type") ?? "";
  try {
    for await (const part of readForm(() => reader.read(), contentType, deps.form)) {
      if (part.kind === "file") outcomes.push(await takeFile(c, deps, { part, visibility }));
      if (part.kind === "broken") outcomes.push({ field: "", fileName: null, result: part.error });
    }
  } catch (error) {
    throw withResults(admitted.failure ?? toAppError(error), outcomes);
  }
  if (outcomes.length === 0) throw new AppError("malformed_form", "The form holds no file");
  return buildAnswer(outcomes);
}

async function takeFile(
  c: Context<HttpEnv>,
  deps: UploadFormDeps,
  file: {
    readonly part: Extract<FormPart, { kind: "file" }>;
    readonly visibility: Visibility | undefined;
  },
): Promise<FileOutcome> {
  const { part, visibility } = file;
  const { tenant, keyId } = c.get("principal");
  const described = { field: part.name, fileName: part.fileName };
  try {
    assertIdentityEncoding(part.headers.get("content-encoding"));
    const result = await deps.ingest.ingest(part.stream, {
      tenant,
      keyId,
      fileName: part.fileName,
      claimedType: part.headers.get("content-type"),
      expectedSha256Digests: readDigests(part.headers),
      visibility,
      signal: new AbortController().signal,
    });
    return { ...described, result };
  } catch (thrown) {
    const error = toAppError(thrown);
    if (isReported(error.kind)) deps.reportProblem?.(error, c.get("requestId"));
    return { ...described, result: error };
  }
}

function buildAnswer(outcomes: readonly FileOutcome[]): Response {
  const failures = outcomes.map(({ result }) => result).filter((each) => each instanceof AppError);
  if (failures.length === outcomes.length) throw withResults(failures[0], outcomes);
  const isNew = outcomes.some(({ result }) => !(result instanceof AppError) && result.created);
  const status = failures.length > 0 ? 207 : isNew ? 201 : 200;
  return Response.json({ results: outcomes.map(formatOutcome) }, {
    status,
    headers: { "cache-control": "no-store" },
  });
}

function formatOutcome({ field, fileName, result }: FileOutcome): Record<string, unknown> {
  if (result instanceof AppError) {
    return { field, fileName, status: statusOf(result.kind), problem: describeProblem(result) };
  }
  return {
    field,
    fileName,
    status: statusOfUpload(result),
    location: formatAssetPath(result.asset),
    asset: formatAsset(result.asset),
  };
}

/** The failure of the whole form, which tells what became of each of its files. */
function withResults(error: AppError, outcomes: readonly FileOutcome[]): AppError {
  const { code, cause, retryAfterSeconds, responseHeaders } = error;
  return new AppError(code, error.message, {
    ...(cause === undefined ? {} : { cause }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
    extensions: { ...error.extensions, results: outcomes.map(formatOutcome) },
  });
}
