/**
 * Writes the bytes of one request behind those that an upload already has.
 *
 * Whole parts go to the store as they fill, and the offset follows each of them. What is left at the
 * end of the request (also when its connection breaks) is less than stores accept as a part, so it
 * is kept as an object of its own, the tail, until the next request completes the part. An instance
 * that dies loses no more than the part it was filling.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { AppError, hasCode } from "../errors.ts";
import type { BodyReader } from "./body_reader.ts";
import type { SpanningObjects, SpanningSession, SpanningSessions } from "./resumable_ports.ts";

/** A checksum that a client declares for the body of one request (tus 1.0, checksum). */
export interface ChunkChecksum {
  readonly algorithm: "sha1" | "sha256";
  readonly digest: Uint8Array;
}

/** What writing needs. */
export interface ResumableWriterDeps {
  readonly sessions: Pick<SpanningSessions, "advance">;
  readonly objects: SpanningObjects;
  /** How long an upload lives after its last progress. Milliseconds. */
  readonly ttlMs: number;
}

/** The bytes of one request. */
export interface WriteRequest {
  readonly reader: BodyReader;
  readonly checksum: ChunkChecksum | undefined;
  /** Aborts calls to the store. */
  readonly signal: AbortSignal;
}

/**
 * Writes behind `session.offsetBytes`. When the last byte of the upload arrives, the staging object
 * is complete, but the offset stays where it was: it moves when the bytes are an asset, so that a
 * client never takes an upload for finished that is not.
 *
 * @returns The offset up to which bytes are stored; the size of the upload when it is complete.
 * @throws {AppError} `checksum_mismatch`, and then the request's bytes are not kept;
 * `upload_offset_conflict` when another writer took over; what reading and storing throw.
 */
export async function writeBehind(
  deps: ResumableWriterDeps,
  session: SpanningSession,
  request: WriteRequest,
): Promise<number> {
  const writer = new ResumableWriter(deps, session, request);
  return await writer.run();
}

class ResumableWriter {
  readonly #deps: ResumableWriterDeps;
  readonly #session: SpanningSession;
  readonly #request: WriteRequest;
  readonly #hash: Hash | null;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #filledBytes = 0;
  /** Bytes in whole parts before the buffer. */
  #wholeBytes: number;
  /** What the catalog says. */
  #recordedBytes: number;
  #multipartId: string | null;
  #tailKey: string | null;

  constructor(deps: ResumableWriterDeps, session: SpanningSession, request: WriteRequest) {
    this.#deps = deps;
    this.#session = session;
    this.#request = request;
    this.#hash = request.checksum ? createHash(request.checksum.algorithm) : null;
    this.#wholeBytes = session.offsetBytes - session.offsetBytes % session.partSizeBytes;
    this.#recordedBytes = session.offsetBytes;
    this.#multipartId = session.multipartId;
    this.#tailKey = session.tailKey;
    const left = session.sizeBytes - this.#wholeBytes;
    this.#buffer = new Uint8Array(Math.min(session.partSizeBytes, left));
  }

  async run(): Promise<number> {
    await this.#loadTail();
    try {
      await this.#readAll();
    } catch (error) {
      // tus 1.0: store as much of the received data as possible. With a checksum none of it counts.
      if (!this.#hash && isReadingError(error)) await this.#keepTail();
      throw error;
    }
    this.#verify();
    if (this.#position() < this.#session.sizeBytes) await this.#keepTail();
    else await this.#completeStaging();
    return this.#position();
  }

  #position(): number {
    return this.#wholeBytes + this.#filledBytes;
  }

  async #readAll(): Promise<void> {
    const { reader } = this.#request;
    for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
      this.#hash?.update(chunk);
      let taken = 0;
      while (taken < chunk.byteLength) {
        // Late, so that the last part of an upload stays in the buffer until it is finished.
        if (this.#filledBytes === this.#session.partSizeBytes) await this.#sendPart();
        const slice = chunk.subarray(taken, taken + this.#buffer.byteLength - this.#filledBytes);
        this.#buffer.set(slice, this.#filledBytes);
        this.#filledBytes += slice.byteLength;
        taken += slice.byteLength;
      }
    }
  }

  async #loadTail(): Promise<void> {
    const tailBytes = this.#session.offsetBytes - this.#wholeBytes;
    if (tailBytes === 0 || this.#tailKey === null) return;
    const { objects } = this.#deps;
    const body = await objects.get(this.#tailKey, { signal: this.#request.signal });
    if (body === null || body.totalBytes !== tailBytes) {
      await body?.stream.cancel();
      throw new AppError("storage_error", "The stored part of the upload has gone");
    }
    for await (const chunk of body.stream) {
      this.#buffer.set(chunk, this.#filledBytes);
      this.#filledBytes += chunk.byteLength;
    }
  }

  /** Makes a part of the full buffer. The offset follows, unless a checksum is still to be proved. */
  async #sendPart(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#filledBytes);
    const partNumber = this.#wholeBytes / this.#session.partSizeBytes + 1;
    const upload = await this.#openMultipart();
    const { signal } = this.#request;
    try {
      await this.#deps.objects.uploadPart(upload, { partNumber, bytes, signal });
    } catch (error) {
      // An earlier request sent all of it and failed afterwards: its parts are gone, the object is there.
      if (!hasCode(error, "object_mismatch") || !await this.#isStaged()) throw error;
    }
    this.#wholeBytes += bytes.byteLength;
    this.#filledBytes = 0;
    if (!this.#hash) await this.#record(null);
  }

  async #openMultipart() {
    const { stagingKey: key, partSizeBytes } = this.#session;
    if (this.#multipartId === null) {
      const { signal } = this.#request;
      const upload = await this.#deps.objects.createMultipart(key, { partSizeBytes, signal });
      this.#multipartId = upload.uploadId;
      // At once, for the parts to be found again however this request ends.
      await this.#advance(this.#recordedBytes, this.#tailKey);
    }
    return { key, uploadId: this.#multipartId, partSizeBytes };
  }

  async #keepTail(): Promise<void> {
    if (this.#position() === this.#recordedBytes) return;
    if (this.#filledBytes === this.#session.partSizeBytes) await this.#sendPart();
    if (this.#filledBytes === 0) return await this.#record(null);
    // A key of its own for each writer: one that was shut out cannot overwrite its successor's.
    const key = `${this.#session.stagingKey}-tail-${this.#session.fence}`;
    await this.#deps.objects.put(key, this.#buffer.subarray(0, this.#filledBytes), {
      signal: this.#request.signal,
    });
    await this.#record(key);
  }

  /** Moves the offset to the position, and drops the tail that it left behind. */
  async #record(tailKey: string | null): Promise<void> {
    const old = this.#tailKey;
    await this.#advance(this.#position(), tailKey);
    this.#tailKey = tailKey;
    if (old === null || old === tailKey) return;
    // What is not removed now goes with the rest of the staging.
    await this.#deps.objects.delete(old).catch(() => {});
  }

  async #advance(toBytes: number, tailKey: string | null): Promise<void> {
    const moved = await this.#deps.sessions.advance(this.#session.sessionId, {
      fence: this.#session.fence,
      fromBytes: this.#recordedBytes,
      toBytes,
      tailKey,
      multipartId: this.#multipartId,
    }, this.#deps.ttlMs);
    if (!moved) {
      throw new AppError("upload_offset_conflict", "Another request continues this upload");
    }
    this.#recordedBytes = toBytes;
  }

  #verify(): void {
    const { checksum } = this.#request;
    if (!this.#hash || !checksum) return;
    if (this.#hash.digest().equals(checksum.digest)) return;
    throw new AppError("checksum_mismatch", "The bytes do not have the checksum of the request");
  }

  /** Makes the staging object of what is there. Safe to repeat with the last bytes sent again. */
  async #completeStaging(): Promise<void> {
    const { objects } = this.#deps;
    const { stagingKey } = this.#session;
    const { signal } = this.#request;
    const bytes = this.#buffer.subarray(0, this.#filledBytes);
    if (this.#wholeBytes === 0) {
      await objects.put(stagingKey, bytes, { signal });
      return;
    }
    if (await this.#isStaged()) return;
    const upload = await this.#openMultipart();
    const lastNumber = this.#wholeBytes / this.#session.partSizeBytes + 1;
    await objects.uploadPart(upload, { partNumber: lastNumber, bytes, signal });
    const parts = (await objects.listParts(upload, { signal }) ?? [])
      .filter((part) => part.partNumber <= lastNumber);
    await objects.completeMultipart(upload, { parts, signal });
  }

  /** Whether the staging object is there already, completed by an earlier request. */
  async #isStaged(): Promise<boolean> {
    const { stagingKey, sizeBytes } = this.#session;
    const { signal } = this.#request;
    return (await this.#deps.objects.head(stagingKey, { signal }))?.sizeBytes === sizeBytes;
  }
}

/** Whether the client's side failed, so that what came before is good. */
function isReadingError(error: unknown): boolean {
  return error instanceof AppError &&
    ["incomplete_body", "body_timeout", "client_closed_request", "body_too_large"]
      .includes(error.code);
}
