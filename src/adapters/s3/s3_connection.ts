import type { S3Client } from "@aws-sdk/client-s3";
import { AppError, hasCode } from "../../errors.ts";
import { toS3Error } from "./s3_errors.ts";
import { createS3HttpHandler } from "./s3_http_handler.ts";

type Sdk = typeof import("@aws-sdk/client-s3");

/** How to reach a bucket, and how long to wait. */
export interface S3ConnectionOptions {
  /** Such as `https://{account}.r2.cloudflarestorage.com`. Path style is used. */
  readonly endpoint: string;
  /** @default {"auto"} which R2 wants and others ignore; AWS needs its real region. */
  readonly region?: string | undefined;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Longest wait for an answer to one try, a dead connection included. @default {15_000} */
  readonly attemptTimeoutMs?: number | undefined;
  /** Added for bodies on their way out: slowest upload speed that is still waited for. @default {128 KiB/s} */
  readonly minBytesPerSecond?: number | undefined;
  /** Longest wait for the next bytes of a body on its way in. @default {15_000} */
  readonly idleTimeoutMs?: number | undefined;
  /** Longest wait for the server to copy an object or join parts. @default {300_000} */
  readonly copyTimeoutMs?: number | undefined;
  /** Longest wait of `ping`. @default {2_000} */
  readonly pingTimeoutMs?: number | undefined;
  /** Tries per call, the first included. @default {3} */
  readonly maxAttempts?: number | undefined;
  /** Longest pause before the second try; doubles for each further one. @default {200} */
  readonly retryDelayMs?: number | undefined;
}

/** How one call is to be made. */
export interface S3CallPolicy {
  readonly signal?: AbortSignal | undefined;
  /** Bytes sent with the call: they take time of their own. */
  readonly bodyBytes?: number | undefined;
  /** Instead of `attemptTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Instead of `maxAttempts`. */
  readonly maxAttempts?: number | undefined;
}

/** What a call's body works with. */
export interface S3Call {
  readonly client: S3Client;
  readonly sdk: Sdk;
  readonly bucket: string;
  /** To be passed to `client.send`. */
  readonly send: { readonly abortSignal: AbortSignal };
}

/** A bucket's client, made when first needed. */
export interface S3Connection {
  readonly bucket: string;
  readonly idleTimeoutMs: number;
  readonly copyTimeoutMs: number;
  readonly pingTimeoutMs: number;
  /**
   * Runs `work`, again while the store is unavailable or silent (every S3 call may be repeated:
   * keys and part numbers are named by us). Throws only AppErrors and the signal's reason.
   */
  call<T>(policy: S3CallPolicy, work: (call: S3Call) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const DEFAULT_ATTEMPT_TIMEOUT_MS = 15_000;
const DEFAULT_MIN_BYTES_PER_SECOND = 128 * 1024;
const MAX_RETRY_DELAY_MS = 5_000;

/** Describes a connection; nothing is loaded or opened before the first call. */
export function createS3Connection(options: S3ConnectionOptions): S3Connection {
  const {
    attemptTimeoutMs = DEFAULT_ATTEMPT_TIMEOUT_MS,
    minBytesPerSecond = DEFAULT_MIN_BYTES_PER_SECOND,
    retryDelayMs = 200,
  } = options;
  let opening: ReturnType<typeof openClient> | null = null;

  async function attempt<T>(policy: S3CallPolicy, work: (call: S3Call) => Promise<T>): Promise<T> {
    opening ??= openClient(options);
    const { client, sdk } = await opening.catch((error) => {
      opening = null;
      throw error;
    });
    const sendingMs = (policy.bodyBytes ?? 0) / minBytesPerSecond * 1000;
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new DOMException("No answer in time", "TimeoutError")),
      (policy.timeoutMs ?? attemptTimeoutMs) + sendingMs,
    );
    const signals = policy.signal === undefined
      ? [deadline.signal]
      : [deadline.signal, policy.signal];
    try {
      const send = { abortSignal: AbortSignal.any(signals) };
      return await work({ client, sdk, bucket: options.bucket, send });
    } catch (cause) {
      policy.signal?.throwIfAborted();
      if (!deadline.signal.aborted) throw toS3Error(cause);
      throw new AppError("storage_timeout", "The object store did not answer in time", { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    bucket: options.bucket,
    idleTimeoutMs: options.idleTimeoutMs ?? 15_000,
    copyTimeoutMs: options.copyTimeoutMs ?? 300_000,
    pingTimeoutMs: options.pingTimeoutMs ?? 2_000,

    async call(policy, work) {
      const maxAttempts = policy.maxAttempts ?? options.maxAttempts ?? 3;
      for (let tried = 1;; tried++) {
        policy.signal?.throwIfAborted();
        try {
          return await attempt(policy, work);
        } catch (error) {
          if (tried >= maxAttempts || !isTransient(error)) throw error;
          await pause(toDelayMs(tried, retryDelayMs), policy.signal);
        }
      }
    },

    async close() {
      const opened = await opening?.catch(() => null);
      opened?.client.destroy();
      opened?.handler.close();
    },
  };
}

/**
 * Loads the SDK and makes the client. The import is dynamic so that it costs nothing at start, where
 * the first byte has to come fast.
 */
async function openClient(
  options: S3ConnectionOptions,
): Promise<{ sdk: Sdk; client: S3Client; handler: ReturnType<typeof createS3HttpHandler> }> {
  const sdk = await import("@aws-sdk/client-s3").catch((cause) => {
    throw new AppError("storage_error", "The S3 client could not be loaded", { cause });
  });
  const handler = createS3HttpHandler();
  const { accessKeyId, secretAccessKey } = options;
  const client = new sdk.S3Client({
    endpoint: options.endpoint,
    region: options.region ?? "auto",
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    // Checksums of the SDK's own choice come as trailers, which R2 and Ceph do not all know.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Waiting for 100-continue costs a round trip per part, and fetch cannot do it.
    expectContinueHeader: false,
    // Tries are ours, so that each has its own deadline.
    maxAttempts: 1,
    requestHandler: handler.requestHandler,
  });
  return { sdk, client, handler };
}

function isTransient(error: unknown): boolean {
  return hasCode(error, "storage_unavailable") || hasCode(error, "storage_timeout");
}

/** Exponential with full jitter, so that many instances do not come back at once. */
function toDelayMs(tried: number, baseMs: number): number {
  return Math.random() * Math.min(baseMs * 2 ** (tried - 1), MAX_RETRY_DELAY_MS);
}

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
