import type { Principal } from "../core/principal.ts";
import { AppError } from "../errors.ts";
import { toAppError } from "./problem.ts";

/** Counts the bytes that keys upload per UTC day. */
export interface UploadQuota {
  /**
   * Adds `bytes` to what the key has used today, unless that exceeds `limitBytes`.
   *
   * @returns Whether they were added.
   */
  reserve(keyId: string, bytes: number, limitBytes: number): Promise<boolean>;
  /** Takes back what was reserved and not used. Never below zero. */
  refund(keyId: string, bytes: number): Promise<void>;
}

/** What {@linkcode createUploadAdmission} needs. */
export interface UploadAdmissionOptions {
  readonly quota: UploadQuota;
  /** Uploads under way per key on this instance, where the key has no limit of its own. */
  readonly maxConcurrentPerKey: number;
  readonly now: () => Date;
}

/** One upload that was let in. Dispose it when it has ended, however it ended. */
export interface AdmittedUpload extends AsyncDisposable {
  /** Passes the body through and counts it; fails when the key's bytes for today are used up. */
  meter(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array>;
  /** Why metering failed, which readers of the body see as a body that broke off. */
  readonly failure: AppError | null;
}

/** Decides whether a key may upload now. */
export interface UploadAdmission {
  /**
   * @param declaredBytes The declared length of the body, undefined when it is not known.
   * @throws {AppError} `concurrent_uploads_exceeded`, `daily_bytes_exceeded`, both with Retry-After.
   */
  admit(principal: Principal, declaredBytes: number | undefined): Promise<AdmittedUpload>;
  /**
   * Counts bytes that reach the store by another way.
   *
   * @throws {AppError} `daily_bytes_exceeded`.
   */
  charge(principal: Principal, bytes: number): Promise<void>;
}

/** Bytes of a body of unknown length that are reserved at a time. */
const SLAB_BYTES = 8 * 1024 * 1024;
/** When an upload of the same key may have ended. */
const RETRY_AFTER_SECONDS = 2;

/** Creates the limits per key. Concurrency is counted on this instance, bytes in the catalog. */
export function createUploadAdmission(options: UploadAdmissionOptions): UploadAdmission {
  const running = new Map<string, number>();

  function enter({ keyId, concurrentUploads }: Principal): void {
    const count = running.get(keyId) ?? 0;
    const limit = concurrentUploads ?? options.maxConcurrentPerKey;
    if (count >= limit) {
      throw new AppError(
        "concurrent_uploads_exceeded",
        `This key may run ${limit} uploads at once`,
        {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
          extensions: { limit },
        },
      );
    }
    running.set(keyId, count + 1);
  }

  function leave(keyId: string): void {
    const count = (running.get(keyId) ?? 1) - 1;
    if (count > 0) running.set(keyId, count);
    else running.delete(keyId);
  }

  return {
    charge: (principal, bytes) => new ByteAccount(options, principal).reserve(bytes),
    async admit(principal, declaredBytes) {
      enter(principal);
      const account = new ByteAccount(options, principal);
      try {
        await account.reserve(declaredBytes ?? 0);
      } catch (error) {
        leave(principal.keyId);
        throw error;
      }
      return {
        meter: (body) => account.meter(body),
        get failure() {
          return account.failure;
        },
        async [Symbol.asyncDispose]() {
          leave(principal.keyId);
          await account.settle();
        },
      };
    },
  };
}

/** What one upload has reserved and used of its key's bytes per day. */
class ByteAccount {
  failure: AppError | null = null;
  readonly #options: UploadAdmissionOptions;
  readonly #principal: Principal;
  #reservedBytes = 0;
  #usedBytes = 0;

  constructor(options: UploadAdmissionOptions, principal: Principal) {
    this.#options = options;
    this.#principal = principal;
  }

  /** Reserves `bytes`, or at least `minBytes` when there is not so much left. */
  async reserve(bytes: number, minBytes = bytes): Promise<void> {
    const { bytesPerDay } = this.#principal;
    if (bytesPerDay === null) return;
    if (await this.#tryReserve(bytes, bytesPerDay)) return;
    if (minBytes < bytes && await this.#tryReserve(minBytes, bytesPerDay)) return;
    throw new AppError("daily_bytes_exceeded", "This key has no bytes left for today", {
      retryAfterSeconds: secondsToMidnight(this.#options.now()),
      extensions: { limitBytes: bytesPerDay },
    });
  }

  meter(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    if (this.#principal.bytesPerDay === null) return body;
    const reader = body.getReader();
    return new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        try {
          await this.#use(value.byteLength);
        } catch (error) {
          this.failure = toAppError(error);
          await reader.cancel(this.failure);
          throw this.failure;
        }
        controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
  }

  /** Gives back what the upload did not send. A catalog that is down keeps the difference. */
  async settle(): Promise<void> {
    const unused = this.#reservedBytes - this.#usedBytes;
    this.#reservedBytes = this.#usedBytes;
    if (unused > 0) {
      await this.#options.quota.refund(this.#principal.keyId, unused).catch(() => {});
    }
  }

  async #tryReserve(bytes: number, limitBytes: number): Promise<boolean> {
    const reserved = await this.#options.quota.reserve(this.#principal.keyId, bytes, limitBytes);
    if (reserved) this.#reservedBytes += bytes;
    return reserved;
  }

  async #use(bytes: number): Promise<void> {
    this.#usedBytes += bytes;
    const missing = this.#usedBytes - this.#reservedBytes;
    if (missing > 0) await this.reserve(Math.max(missing, SLAB_BYTES), missing);
  }
}

function secondsToMidnight(now: Date): number {
  const midnight = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1);
  return Math.max(1, Math.ceil((midnight - now.getTime()) / 1000));
}
