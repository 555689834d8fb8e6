import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { AppError } from "../../../src/errors.ts";
import {
  DEFAULT_FORM_LIMITS,
  type FormLimits,
  readForm,
} from "../../../src/http/multipart_form.ts";
import { join } from "../../support/paths.ts";
import { sharedDataDir } from "../../support/shared_data.ts";

type Part = readonly [name: string, fileName: string | null, content: string];

/** Reads a form that arrives in `chunks`. */
async function read(
  chunks: readonly Uint8Array[],
  options: { contentType?: string; limits?: Partial<FormLimits> } = {},
): Promise<Part[]> {
  const { contentType = "multipart/form-data; boundary=B", limits } = options;
  const queue = [...chunks];
  const next = () => Promise.resolve(queue.shift() ?? null);
  const parts: Part[] = [];
  for await (const part of readForm(next, contentType, { ...DEFAULT_FORM_LIMITS, ...limits })) {
    if (part.kind === "broken") throw part.error;
    if (part.kind === "field") parts.push([part.name, null, part.value]);
    else parts.push([part.name, part.fileName ?? "", await new Response(part.stream).text()]);
  }
  return parts;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function fieldPart(name: string, value: string): string {
  return `--B\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

function filePart(fileName: string, content: string): string {
  return `--B\r\nContent-Disposition: form-data; name="f"; ${fileName}\r\n` +
    `Content-Type: image/jpeg\r\n\r\n${content}\r\n`;
}

async function failureOf(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(() => assert.fail("no error"), (thrown) => thrown);
  assert.ok(error instanceof AppError, String(error));
  return error;
}

const GOOD = "preamble\r\n" + fieldPart("a", "v\r\n--1") +
  filePart('filename="x.jpg"', "hello\r\n-\r\n--\r\n--b") +
  filePart('filename="é\\"y.jpg"', "") + "--B--\r\nepilogue";
const GOOD_PARTS: Part[] = [
  ["a", null, "v\r\n--1"],
  ["f", "x.jpg", "hello\r\n-\r\n--\r\n--b"],
  ["f", 'é"y.jpg', ""],
];

Deno.test("readForm() yields fields and files in order", async () => {
  assert.deepEqual(await read([encode(GOOD)]), GOOD_PARTS);
});

Deno.test("readForm() does not depend on where the network cuts", async () => {
  const bytes = encode(GOOD);
  for (let cut = 1; cut < bytes.length; cut++) {
    const chunks = [bytes.slice(0, cut), bytes.slice(cut)];
    assert.deepEqual(await read(chunks), GOOD_PARTS, `cut at ${cut}`);
  }
  for (const size of [1, 2, 3, 5, 8]) {
    const chunks = Array.from(
      { length: Math.ceil(bytes.length / size) },
      (_, i) => bytes.slice(i * size, (i + 1) * size),
    );
    assert.deepEqual(await read(chunks), GOOD_PARTS, `chunks of ${size}`);
  }
});

Deno.test("readForm() agrees with the platform's own parser", async () => {
  const form = new FormData();
  form.append("first", "a value with ünïcödé");
  form.append("file", new Blob([new Uint8Array(70_000).fill(45)]), "dashes.bin");
  form.append("empty", "");
  const encoded = new Response(form);
  const contentType = encoded.headers.get("content-type") ?? "";
  const bytes = new Uint8Array(await encoded.arrayBuffer());
  assert.deepEqual(await read([bytes], { contentType }), [
    ["first", null, "a value with ünïcödé"],
    ["file", "dashes.bin", "-".repeat(70_000)],
    ["empty", null, ""],
  ]);
});

Deno.test("readForm() asks for no more than the consumer takes", async () => {
  let asked = 0;
  const head = encode(filePart('filename="x"', "").slice(0, -2));
  const next = () => Promise.resolve(asked++ === 0 ? head : new Uint8Array(64 * 1024));
  for await (const part of readForm(next, "multipart/form-data; boundary=B", DEFAULT_FORM_LIMITS)) {
    assert.ok(part.kind === "file");
    const reader = part.stream.getReader();
    for (let i = 0; i < 10; i++) await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(asked <= 14, `asked for ${asked} chunks`);
    break;
  }
});

Deno.test("readForm() skips a file that is not read", async () => {
  const chunks = [
    encode(filePart("filename=a", "x".repeat(1000)) + filePart("filename=b", "y") + "--B--"),
  ];
  const names = [];
  const next = () => Promise.resolve(chunks.shift() ?? null);
  for await (const part of readForm(next, "multipart/form-data; boundary=B", DEFAULT_FORM_LIMITS)) {
    names.push(part.kind === "file" ? part.fileName : null);
  }
  assert.deepEqual(names, ["a", "b"]);
});

Deno.test("readForm() names the limit that a form exceeds", async () => {
  const cases: [string, Partial<FormLimits>, string][] = [
    [filePart("filename=a", "1").repeat(3), { maxFiles: 2 }, "maxFiles"],
    [fieldPart("a", "1").repeat(3), { maxFields: 2 }, "maxFields"],
    [fieldPart("a", "1").repeat(9), { maxFiles: 2, maxFields: 2 }, "maxFields"],
    [fieldPart("a", "12345"), { maxFieldBytes: 4 }, "maxFieldBytes"],
    [fieldPart("abcde", "1"), { maxFieldNameLength: 4 }, "maxFieldNameLength"],
    [fieldPart("a".repeat(3000), "1"), { maxPartHeaderBytes: 2000 }, "maxPartHeaderBytes"],
    [
      `--B\r\nContent-Disposition: form-data; name=a\r\n${"X: y\r\n".repeat(500)}\r\n1\r\n`,
      { maxPartHeaderBytes: 2000 },
      "maxPartHeaderBytes",
    ],
  ];
  for (const [form, limits, expected] of cases) {
    const error = await failureOf(read([encode(form + "--B--")], { limits }));
    assert.equal(error.code, "form_limit_exceeded", expected);
    assert.equal(error.extensions?.limit, expected);
  }
});

Deno.test("readForm() refuses forms that break the grammar", async () => {
  const bad = [
    "",
    GOOD.slice(0, -12),
    GOOD.slice(0, 90),
    "--B\r\n\r\nno disposition\r\n--B--",
    "--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--B--",
    "--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",
    "--B\r\nContent-Disposition: form-data; name=a; filename*=UTF-8''%FF\r\n\r\nx\r\n--B--",
    "--B\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--B--",
    "--B\r\nContent-Disposition: form-data; name=a\r\nBad Name: x\r\n\r\nx\r\n--B--",
  ];
  for (const form of bad) {
    const error = await failureOf(read([encode(form)]));
    assert.equal(error.code, "malformed_form", JSON.stringify(form));
  }
  for (
    const type of [
      "multipart/form-data",
      "multipart/form-data; boundary=",
      "multipart/form-data; boundary=" + "b".repeat(71),
      'multipart/form-data; boundary="a\r\n"',
    ]
  ) {
    const error = await failureOf(read([encode(GOOD)], { contentType: type }));
    assert.equal(error.code, "malformed_form", type);
  }
});

Deno.test("readForm() never takes a file that broke off for a whole one", async () => {
  const whole = encode(filePart('filename="x"', "0123456789") + "--B--");
  for (let length = 0; length < whole.length - 2; length++) {
    const error = await failureOf(read([whole.slice(0, length)]));
    assert.equal(error.code, "malformed_form", `${length}`);
  }
});

Deno.test("readForm() ends on every input of a fuzzing corpus", async () => {
  const data = sharedDataDir();
  if (data === null) return;
  const dir = join(data, "dvyukov+go-fuzz-corpus", "multipart", "corpus");
  let count = 0;
  for (const name of readdirSync(dir)) {
    const bytes = new Uint8Array(readFileSync(join(dir, name)));
    const boundary = /--([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])\r?\n/
      .exec(Buffer.from(bytes).toString("latin1"))?.[1] ?? "xxx";
    await read([bytes], { contentType: `multipart/form-data; boundary="${boundary}"` }).catch(
      (error) => assert.ok(error instanceof AppError, `${name}: ${error}`),
    );
    count++;
  }
  assert.ok(count > 10, `${count} files`);
});
