/**
 * Reads `multipart/form-data` (RFC 7578) as it arrives: one part at a time, nothing held but the
 * chunk at hand and the bounded values of fields.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { Dicer } from "@fastify/busboy";
import { AppError, hasCode } from "../errors.ts";
import { decodeFieldText, parseParameterizedField, readFileName } from "./parameterized_field.ts";

/** Bounds of a form. */
export interface FormLimits {
  readonly maxFiles: number;
  /** Fields that are not files. */
  readonly maxFields: number;
  /** Bytes of all headers of one part together. */
  readonly maxPartHeaderBytes: number;
  /** Longest field name in characters. */
  readonly maxFieldNameLength: number;
  /** Longest value of a field that is not a file. */
  readonly maxFieldBytes: number;
}

/** The bounds, where nobody asks for others. */
export const DEFAULT_FORM_LIMITS: FormLimits = {
  maxFiles: 100,
  maxFields: 100,
  maxPartHeaderBytes: 16 * 1024,
  maxFieldNameLength: 256,
  maxFieldBytes: 64 * 1024,
};

/** What comes out of a form: a field, or a file whose stream lasts until the next part is asked for. */
export type FormPart =
  | { readonly kind: "field"; readonly name: string; readonly value: string }
  | {
    readonly kind: "file";
    readonly name: string;
    readonly fileName: string | null;
    readonly headers: Headers;
    readonly stream: ReadableStream<Uint8Array>;
  }
  /** A part whose header fields break the grammar; where it ends is known all the same. */
  | { readonly kind: "broken"; readonly error: AppError };

/** Reads the next chunk of a body, null at its end, as `BodyReader` does. */
export type ReadChunk = () => Promise<Uint8Array | null>;

/**
 * Yields the parts of a form in order. A file that is not read to its end is skipped when the next
 * part is asked for, so that one bad file does not spoil the others.
 *
 * @throws {AppError} `malformed_form`, `form_limit_exceeded` (with `limit` and `maximum`), and
 * whatever `readChunk` throws.
 */
export async function* readForm(
  readChunk: ReadChunk,
  contentType: string,
  limits: FormLimits,
): AsyncGenerator<FormPart, void, void> {
  const form = new FormReader(readChunk, parseBoundary(contentType), limits);
  for (let part = await form.nextPart(); part !== null; part = await form.nextPart()) {
    const described = tryToDescribe(part.headers, limits);
    if (described instanceof AppError) {
      form.count("maxFiles");
      yield { kind: "broken", error: described };
    } else if (described.isFile) {
      form.count("maxFiles");
      const { name, fileName, headers } = described;
      yield { kind: "file", name, fileName, headers, stream: form.openStream(part) };
    } else {
      form.count("maxFields");
      yield { kind: "field", name: described.name, value: await form.readValue(part) };
    }
    await form.skip(part);
  }
}

/** A part as the parser has delivered it so far. */
interface PartBuffer {
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly chunks: Uint8Array[];
  ended: boolean;
  /** The form ended in the middle of it. */
  broken: boolean;
}

/** Pulls chunks through the push parser, so that a slow consumer slows the client down. */
class FormReader {
  readonly #readChunk: ReadChunk;
  readonly #limits: FormLimits;
  readonly #parser: Dicer;
  readonly #parts: PartBuffer[] = [];
  readonly #counts = { maxFiles: 0, maxFields: 0 };
  readonly #finished = Promise.withResolvers<void>();
  #failure: AppError | null = null;
  #partsSeen = 0;
  /** The parser has seen the closing boundary. */
  #parsed = false;
  /** Everything has been delivered, and the body has been read to its end. */
  #ended = false;

  constructor(readChunk: ReadChunk, boundary: string, limits: FormLimits) {
    this.#readChunk = readChunk;
    this.#limits = limits;
    // The parser cuts longer headers without a word; the slack lets us see that they were longer.
    const maxHeaderSize = limits.maxPartHeaderBytes + HEADER_SLACK_BYTES;
    const config = { boundary, maxHeaderSize };
    this.#parser = new Dicer(config);
    this.#parser.on("part", (part) => this.#receive(part));
    this.#parser.on("error", (cause) => {
      this.#failure ??= malformed("it ends before its closing boundary", cause);
    });
    this.#parser.on("finish", () => {
      this.#parsed = true;
      this.#finished.resolve();
    });
  }

  /** The next part, once its headers are there, or null behind the closing boundary. */
  async nextPart(): Promise<PartBuffer | null> {
    while (this.#parts.length === 0) {
      if (this.#failure) throw this.#failure;
      if (this.#ended) return null;
      await this.#pump();
    }
    return this.#parts.shift() ?? null;
  }

  /** Counts a part. @throws {AppError} `form_limit_exceeded`. */
  count(limit: "maxFiles" | "maxFields"): void {
    if (++this.#counts[limit] > this.#limits[limit]) {
      throw limitExceeded(limit, this.#limits[limit]);
    }
  }

  openStream(part: PartBuffer): ReadableStream<Uint8Array> {
    return new ReadableStream({
      pull: async (controller) => {
        const chunk = await this.#nextChunk(part);
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
    }, { highWaterMark: 0 });
  }

  async readValue(part: PartBuffer): Promise<string> {
    const { maxFieldBytes } = this.#limits;
    const decoder = new TextDecoder();
    let text = "";
    let bytes = 0;
    for (let c = await this.#nextChunk(part); c !== null; c = await this.#nextChunk(part)) {
      bytes += c.byteLength;
      if (bytes > maxFieldBytes) throw limitExceeded("maxFieldBytes", maxFieldBytes);
      text += decoder.decode(c, { stream: true });
    }
    return text + decoder.decode();
  }

  async skip(part: PartBuffer): Promise<void> {
    while (await this.#nextChunk(part) !== null);
  }

  async #nextChunk(part: PartBuffer): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = part.chunks.shift();
      if (chunk) return chunk;
      if (part.broken && this.#failure) throw this.#failure;
      if (part.ended) return null;
      if (this.#ended) throw this.#failure ?? malformed("it ends before its closing boundary");
      await this.#pump();
    }
  }

  /** Parses one more chunk, or the end. */
  async #pump(): Promise<void> {
    const chunk = await this.#readChunk();
    if (chunk === null) {
      if (!this.#parsed) this.#parser.end();
      await this.#finished.promise;
      // Streams deliver their last data and ends in later ticks.
      await setImmediate();
      this.#ended = true;
    } else if (!this.#parsed) {
      // The parser forgets to call back when the closing boundary is in a chunk larger than its
      // buffers. What follows that boundary is to be ignored (RFC 2046 section 5.1.1).
      const written = new Promise<void>((resolve) => this.#parser.write(chunk, () => resolve()));
      await Promise.race([written, this.#finished.promise]);
    }
  }

  #receive(part: Dicer.PartStream): void {
    const { maxFiles, maxFields } = this.#limits;
    const tooMany = ++this.#partsSeen > maxFiles + maxFields;
    if (tooMany) this.#failure ??= limitExceeded("maxParts", maxFiles + maxFields);
    let buffer: PartBuffer | undefined;
    part.on("header", (headers) => {
      if (tooMany) return;
      buffer = {
        headers: headers as PartBuffer["headers"],
        chunks: [],
        ended: false,
        broken: false,
      };
      this.#parts.push(buffer);
    });
    part.on("data", (chunk: Uint8Array) => void buffer?.chunks.push(chunk));
    part.on("end", () => buffer && (buffer.ended = true));
    part.on("error", () => buffer && (buffer.broken = true));
  }
}

/** How much longer than allowed a part's headers may be before the parser cuts them. */
const HEADER_SLACK_BYTES = 1024;

interface PartDescription {
  readonly name: string;
  readonly fileName: string | null;
  readonly isFile: boolean;
  readonly headers: Headers;
}

/** One part with bad header fields must not spoil the others. */
function tryToDescribe(
  raw: PartBuffer["headers"],
  limits: FormLimits,
): PartDescription | AppError {
  try {
    return describePart(raw, limits);
  } catch (error) {
    if (hasCode(error, "malformed_form")) return error;
    throw error;
  }
}

function describePart(raw: PartBuffer["headers"], limits: FormLimits): PartDescription {
  const headers = new Headers();
  let bytes = 0;
  for (const [name, values] of Object.entries(raw)) {
    for (const value of values) {
      bytes += name.length + value.length + 4;
      wrapHeaderError(() => headers.append(name, value));
    }
  }
  if (bytes > limits.maxPartHeaderBytes) {
    throw limitExceeded("maxPartHeaderBytes", limits.maxPartHeaderBytes);
  }
  const field = headers.get("content-disposition");
  if (field === null) throw malformed("a part has no Content-Disposition");
  const disposition = wrapHeaderError(() => parseParameterizedField(field));
  const { parameters } = disposition;
  const name = parameters.get("name");
  if (disposition.value !== "form-data" || !name) throw malformed("a part has no name");
  if (name.length > limits.maxFieldNameLength) {
    throw limitExceeded("maxFieldNameLength", limits.maxFieldNameLength);
  }
  return {
    name: decodeFieldText(name),
    fileName: wrapHeaderError(() => readFileName(disposition)),
    isFile: parameters.has("filename") || parameters.has("filename*") ||
      headers.get("content-type") === "application/octet-stream",
    headers,
  };
}

/** RFC 2046 section 5.1.1: 1 to 70 characters, of which the last is no space. */
function parseBoundary(contentType: string): string {
  const boundary = wrapHeaderError(() => parseParameterizedField(contentType))
    .parameters.get("boundary");
  if (
    boundary === undefined ||
    !/^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/.test(boundary)
  ) {
    throw malformed("its Content-Type names no proper boundary");
  }
  return boundary;
}

function wrapHeaderError<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof TypeError || hasCode(cause, "invalid_header")) {
      throw malformed("a header field of it does not follow the grammar", cause);
    }
    throw cause;
  }
}

function malformed(why: string, cause?: unknown): AppError {
  return new AppError("malformed_form", `The form is malformed: ${why}`, { cause });
}

function limitExceeded(limit: string, maximum: number): AppError {
  return new AppError("form_limit_exceeded", `The form exceeds the limit ${limit} of ${maximum}`, {
    extensions: { limit, maximum },
  });
}
