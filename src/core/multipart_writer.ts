import { AppError } from "../errors.ts";
import {
  MAX_PARTS,
  MIN_PART_SIZE_BYTES,
  type MultipartStore,
  type MultipartUpload,
  type UploadedPart,
  type WriteOptions,
  type WriteResult,
} from "./object_store.ts";

const MIB = 1024 * 1024;

/** Part size where nothing asks for more. */
export const DEFAULT_PART_SIZE_BYTES = 8 * MIB;

/** Options of {@linkcode createMultipartWriter}. */
export interface MultipartWriterOptions {
  /** Most bytes that will ever be written: the declared length, or else the cap. */
  readonly maxBytes: number;
  /** Wanted part size, at least 5 MiB. @default {DEFAULT_PART_SIZE_BYTES} */
  readonly partSizeBytes?: number | undefined;
  /**
   * Part buffers at once, the one being filled included: memory is `maxPartBuffers` × part size.
   *
   * @default {3}
   */
  readonly maxPartBuffers?: number | undefined;
  readonly contentType?: string | undefined;
  /** Aborts calls to the store. The caller still has to `abort()` (or dispose) the writer. */
  readonly signal?: AbortSignal | undefined;
}

/** Writes a stream of unknown length as parts, in bounded memory. */
export interface MultipartWriter extends AsyncDisposable {
  /** The size that was chosen for all parts but the last. */
  readonly partSizeBytes: number;
  /** Bytes taken so far. */
  readonly writtenBytes: number;
  /** The upload in the store, or null before the first part was full. */
  readonly upload: MultipartUpload | null;
  /**
   * Copies `chunk`; resolves when the writer can take more. Await each call before the next.
   *
   * @throws {AppError} `body_too_large` above `maxBytes`, or what a part's upload failed with.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Sends the rest and makes the object visible. */
  complete(options?: Pick<WriteOptions, "ifAbsent">): Promise<WriteResult>;
  /** Stops, waits for parts under way and drops them. Harmless after `complete` or twice. */
  abort(): Promise<void>;
}

/**
 * The part size for an upload of at most `maxBytes`: as asked, or larger where 10,000 parts of that
 * size would not hold it. One size for the whole upload, because R2 refuses parts that differ.
 *
 * @returns Bytes, a whole number of MiB when larger than asked.
 */
export function choosePartSizeBytes(maxBytes: number, wantedBytes: number): number {
  const needed = Math.ceil(maxBytes / MAX_PARTS / MIB) * MIB;
  return Math.max(wantedBytes, needed, MIN_PART_SIZE_BYTES);
}

/**
 * Creates a writer for one object. Parts are buffered whole because the S3 SDK cannot send a web
 * stream of unknown length; buffers are reused, so memory is bounded by
 * `maxPartBuffers` × part size (24 MiB by default) whatever the length of the body.
 *
 * Use it with `await using`, or call `abort` in `finally`: an upload that is neither completed nor
 * aborted keeps its parts in the store until the sweep finds it.
 */
export function createMultipartWriter(
  store: MultipartStore,
  key: string,
  options: MultipartWriterOptions,
): MultipartWriter {
  return new BufferedMultipartWriter(store, key, options);
}

class BufferedMultipartWriter implements MultipartWriter {
  readonly partSizeBytes: number;
  writtenBytes = 0;
  upload: MultipartUpload | null = null;

  readonly #store: MultipartStore;
  readonly #key: string;
  readonly #options: MultipartWriterOptions;
  readonly #maxPartBuffers: number;
  readonly #freeBuffers: Uint8Array[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  readonly #parts: UploadedPart[] = [];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #creation: Promise<MultipartUpload> | null = null;
  #buffer: Uint8Array | null = null;
  #filledBytes = 0;
  #partCount = 0;
  #failure: { readonly error: unknown } | null = null;
  #ended = false;

  constructor(store: MultipartStore, key: string, options: MultipartWriterOptions) {
    this.#store = store;
    this.#key = key;
    this.#options = options;
    this.#maxPartBuffers = Math.max(1, options.maxPartBuffers ?? 3);
    this.partSizeBytes = choosePartSizeBytes(
      options.maxBytes,
      options.partSizeBytes ?? DEFAULT_PART_SIZE_BYTES,
    );
    this.#signal = options.signal === undefined
      ? this.#stop.signal
      : AbortSignal.any([this.#stop.signal, options.signal]);
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#assertOpen();
    this.writtenBytes += chunk.byteLength;
    if (this.writtenBytes > this.#options.maxBytes) {
      throw new AppError("body_too_large", "The body is larger than allowed");
    }
    let offset = 0;
    while (offset < chunk.byteLength) {
      // Flushing late, when more bytes come, keeps the last part from ever being empty.
      if (this.#filledBytes === this.partSizeBytes) await this.#flush();
      const buffer = this.#buffer ??= this.#freeBuffers.pop() ?? new Uint8Array(this.partSizeBytes);
      const slice = chunk.subarray(offset, offset + this.partSizeBytes - this.#filledBytes);
      buffer.set(slice, this.#filledBytes);
      this.#filledBytes += slice.byteLength;
      offset += slice.byteLength;
    }
  }

  async complete(options: Pick<WriteOptions, "ifAbsent"> = {}): Promise<WriteResult> {
    this.#assertOpen();
    await this.#flush();
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
    this.#assertOpen();
    const upload = this.upload;
    if (upload === null) throw new AppError("internal_error", "No multipart upload to complete");
    this.#parts.sort((a, b) => a.partNumber - b.partNumber);
    const result = await this.#store.completeMultipart(upload, {
      parts: this.#parts,
      ifAbsent: options.ifAbsent,
      signal: this.#signal,
    });
    this.#ended = true;
    this.#freeBuffers.length = 0;
    return result;
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop.abort(new AppError("client_closed_request", "The upload was stopped"));
    this.#buffer = null;
    this.#freeBuffers.length = 0;
    // What lands after the abort would be stranded in the store, so wait for all of it.
    const upload = await this.#creation?.catch(() => null);
    await Promise.all(this.#inFlight);
    if (upload) await this.#store.abortMultipart(upload);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  /** Hands the current buffer over for upload, waiting for a free one where all are in use. */
  async #flush(): Promise<void> {
    this.#creation ??= this.#store.createMultipart(this.#key, {
      partSizeBytes: this.partSizeBytes,
      contentType: this.#options.contentType,
      signal: this.#signal,
    });
    const upload = this.upload = await this.#creation;
    const buffer = this.#buffer ?? new Uint8Array(0);
    const bytes = buffer.subarray(0, this.#filledBytes);
    this.#buffer = null;
    this.#filledBytes = 0;
    const task: Promise<void> = this.#send(upload, ++this.#partCount, bytes).finally(() => {
      this.#inFlight.delete(task);
      if (buffer.byteLength === this.partSizeBytes) this.#freeBuffers.push(buffer);
    });
    this.#inFlight.add(task);
    if (this.#inFlight.size >= this.#maxPartBuffers) await Promise.race(this.#inFlight);
    this.#assertOpen();
  }

  /** Never rejects: a failure is kept and thrown by the next call, and stops the other parts. */
  async #send(upload: MultipartUpload, partNumber: number, bytes: Uint8Array): Promise<void> {
    try {
      this.#parts.push(
        await this.#store.uploadPart(upload, { partNumber, bytes, signal: this.#signal }),
      );
    } catch (error) {
      this.#failure ??= { error };
      this.#stop.abort(error);
    }
  }

  #assertOpen(): void {
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#ended) throw new AppError("internal_error", "The multipart writer has ended");
  }
}

/**
 * Writes `chunks` as one object in parts. On any failure, of the source or of the store, the upload
 * is aborted before the error is thrown on.
 *
 * @throws {AppError} See {@linkcode MultipartWriter.write}, and whatever `chunks` throws.
 */
export async function writeMultipart(
  store: MultipartStore,
  key: string,
  options: MultipartWriterOptions & {
    readonly chunks: AsyncIterable<Uint8Array>;
    readonly ifAbsent?: boolean | undefined;
  },
): Promise<WriteResult & { readonly sizeBytes: number }> {
  const writer = createMultipartWriter(store, key, options);
  try {
    for await (const chunk of options.chunks) await writer.write(chunk);
    const { created } = await writer.complete({ ifAbsent: options.ifAbsent });
    return { created, sizeBytes: writer.writtenBytes };
  } catch (error) {
    // The first error is the one to report; what the abort leaves behind is the sweep's.
    await writer.abort().catch(() => {});
    throw error;
  }
}
