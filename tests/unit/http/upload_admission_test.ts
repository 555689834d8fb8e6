import assert from "node:assert/strict";
import type { Principal } from "../../../src/core/principal.ts";
import { AppError } from "../../../src/errors.ts";
import { createUploadAdmission } from "../../../src/http/upload_admission.ts";
import { createMemoryQuota } from "../../support/upload_app.ts";

const MIB = 1024 * 1024;

function principalOf(more: Partial<Principal> = {}): Principal {
  return {
    tenant: "acme",
    keyId: "key",
    scopes: new Set(["upload"]),
    bytesPerDay: 20 * MIB,
    concurrentUploads: null,
    ...more,
  };
}

function setUp(now = new Date("2026-05-04T23:59:00Z")) {
  const quota = createMemoryQuota();
  const admission = createUploadAdmission({ quota, maxConcurrentPerKey: 2, now: () => now });
  return { quota, admission };
}

function streamOf(chunks: number, bytes: number): ReadableStream<Uint8Array> {
  let left = chunks;
  return new ReadableStream({
    pull: (c) => left-- > 0 ? c.enqueue(new Uint8Array(bytes)) : c.close(),
  }, { highWaterMark: 0 });
}

async function drain(stream: ReadableStream<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.byteLength;
  return bytes;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "none",
    (error) => error instanceof AppError ? error.code : `${error}`,
  );
}

Deno.test("createUploadAdmission() lets a key run so many uploads at once, others apart", async () => {
  const { admission } = setUp();
  const first = await admission.admit(principalOf(), 1);
  await admission.admit(principalOf(), 1);
  assert.equal(await codeOf(admission.admit(principalOf(), 1)), "concurrent_uploads_exceeded");
  await admission.admit(principalOf({ keyId: "other" }), 1);
  const one = principalOf({ keyId: "one", concurrentUploads: 1 });
  await admission.admit(one, 1);
  assert.equal(await codeOf(admission.admit(one, 1)), "concurrent_uploads_exceeded");
  await first[Symbol.asyncDispose]();
  await admission.admit(principalOf(), 1);
});

Deno.test("createUploadAdmission() does not count an upload that it refuses", async () => {
  const { admission, quota } = setUp();
  const poor = principalOf({ bytesPerDay: 10 });
  for (let i = 0; i < 5; i++) {
    assert.equal(await codeOf(admission.admit(poor, 11)), "daily_bytes_exceeded");
  }
  assert.equal(quota.used.get("key") ?? 0, 0);
  await admission.admit(poor, 10);
});

Deno.test("createUploadAdmission() reserves what is declared and gives back what is not sent", async () => {
  const { admission, quota } = setUp();
  const admitted = await admission.admit(principalOf(), 10 * MIB);
  assert.equal(quota.used.get("key"), 10 * MIB);
  assert.equal(await drain(admitted.meter(streamOf(3, MIB))), 3 * MIB);
  await admitted[Symbol.asyncDispose]();
  assert.equal(quota.used.get("key"), 3 * MIB);
});

Deno.test("createUploadAdmission() counts bodies of unknown length as they come", async () => {
  const { admission, quota } = setUp();
  const admitted = await admission.admit(principalOf(), undefined);
  assert.equal(await drain(admitted.meter(streamOf(20, MIB))), 20 * MIB);
  await admitted[Symbol.asyncDispose]();
  assert.equal(quota.used.get("key"), 20 * MIB);
  const more = await admission.admit(principalOf(), undefined);
  assert.equal(await codeOf(drain(more.meter(streamOf(1, 1)))), "daily_bytes_exceeded");
  assert.equal(more.failure?.code, "daily_bytes_exceeded");
  await more[Symbol.asyncDispose]();
  assert.equal(quota.used.get("key"), 20 * MIB);
});

Deno.test("createUploadAdmission() says when the day is over", async () => {
  const { admission } = setUp(new Date("2026-05-04T23:59:00Z"));
  const error = await admission.charge(principalOf(), 21 * MIB).catch((thrown) => thrown);
  assert.equal(error.retryAfterSeconds, 60);
});

Deno.test("createUploadAdmission() asks nothing of the catalog for a key without a limit", async () => {
  const never = () => Promise.reject(new Error("asked"));
  const quota = { reserve: never, refund: never };
  const admission = createUploadAdmission({ quota, maxConcurrentPerKey: 1, now: () => new Date() });
  const admitted = await admission.admit(principalOf({ bytesPerDay: null }), 5);
  const body = streamOf(1, 5);
  assert.equal(admitted.meter(body), body);
  await admitted[Symbol.asyncDispose]();
});
