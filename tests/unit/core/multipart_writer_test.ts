import assert from "node:assert/strict";
import { createDiskObjectStore } from "../../../src/adapters/disk/disk_object_store.ts";
import { choosePartSizeBytes, createMultipartWriter } from "../../../src/core/multipart_writer.ts";
import { MIN_PART_SIZE_BYTES, type MultipartStore } from "../../../src/core/object_store.ts";

const MIB = 1024 * 1024;
const PART = MIN_PART_SIZE_BYTES;

Deno.test("choosePartSizeBytes() grows so that 10,000 parts suffice", () => {
  assert.equal(choosePartSizeBytes(1, 8 * MIB), 8 * MIB);
  assert.equal(choosePartSizeBytes(80_000 * MIB, 8 * MIB), 8 * MIB);
  assert.equal(choosePartSizeBytes(80_001 * MIB, 8 * MIB), 9 * MIB);
  assert.equal(choosePartSizeBytes(0, 1), PART);
  const maxBytes = 5 * 1024 ** 4;
  assert.ok(maxBytes / choosePartSizeBytes(maxBytes, 8 * MIB) <= 10_000);
});

Deno.test("createMultipartWriter() never has more parts under way than buffers", async () => {
  await withStore(async (store) => {
    let underWay = 0;
    let most = 0;
    const buffers = new Set<ArrayBufferLike>();
    const counting: MultipartStore = {
      ...store,
      async uploadPart(upload, part) {
        buffers.add(part.bytes.buffer);
        most = Math.max(most, ++underWay);
        // Slower than the source, so that back-pressure is all that holds it.
        await new Promise((resolve) => setTimeout(resolve, 20));
        const stored = await store.uploadPart(upload, part);
        underWay--;
        return stored;
      },
    };
    const maxPartBuffers = 3;
    await using writer = createMultipartWriter(counting, "a", {
      maxBytes: 100 * PART,
      partSizeBytes: PART,
      maxPartBuffers,
    });
    const chunk = new Uint8Array(PART / 4);
    for (let i = 0; i < 4 * 12; i++) await writer.write(chunk);
    await writer.complete();
    assert.ok(most <= maxPartBuffers, `${most} parts were under way`);
    assert.ok(buffers.size <= maxPartBuffers, `${buffers.size} buffers were made`);
    assert.equal(writer.writtenBytes, 12 * PART);
  });
});

Deno.test("write() rejects what goes past the most that was announced", async () => {
  await withStore(async (store) => {
    await using writer = createMultipartWriter(store, "a", { maxBytes: 10 });
    await writer.write(new Uint8Array(10));
    await assert.rejects(writer.write(new Uint8Array(1)), { code: "body_too_large" });
  });
});

Deno.test("write() throws what an earlier part failed with, and stops the others", async () => {
  await withStore(async (store) => {
    const failure = new Error("part 2 is broken");
    const failing: MultipartStore = {
      ...store,
      async uploadPart(upload, part) {
        if (part.partNumber === 2) throw failure;
        return await store.uploadPart(upload, part);
      },
    };
    const writer = createMultipartWriter(failing, "a", {
      maxBytes: 100 * PART,
      partSizeBytes: PART,
    });
    const isFailure = (error: unknown): boolean => error === failure;
    await assert.rejects(async () => {
      for (let i = 0; i < 10; i++) await writer.write(new Uint8Array(PART));
    }, isFailure);
    await assert.rejects(writer.complete(), isFailure);
    await writer.abort();
    for await (const upload of store.listMultipartUploads("")) assert.fail(upload.uploadId);
  });
});

Deno.test("abort() waits for the upload that is just being created", async () => {
  await withStore(async (store) => {
    const slow: MultipartStore = {
      ...store,
      async createMultipart(key, options) {
        const { signal: _, ...rest } = options;
        await new Promise((resolve) => setTimeout(resolve, 30));
        return await store.createMultipart(key, rest);
      },
    };
    const writer = createMultipartWriter(slow, "a", { maxBytes: 100 * PART, partSizeBytes: PART });
    const writing = writer.write(new Uint8Array(2 * PART)).catch(() => {});
    await writer.abort();
    await writing;
    for await (const upload of store.listMultipartUploads("")) assert.fail(upload.uploadId);
  });
});

async function withStore(
  body: (store: ReturnType<typeof createDiskObjectStore>) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "facet-writer-" });
  try {
    await body(createDiskObjectStore({ root }));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}
