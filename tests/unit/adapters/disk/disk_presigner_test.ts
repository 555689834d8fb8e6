import assert from "node:assert/strict";
import { createDiskPresigner } from "../../../../src/adapters/disk/disk_presigner.ts";

const SECRET = new Uint8Array(32).fill(7);
const PUT = { sizeBytes: 1000, expiresInSeconds: 60 };

Deno.test("verify() gives back what presignPut() and presignPart() signed", async () => {
  const now = new Date("2026-01-02T03:04:05.678Z");
  const presigner = createDiskPresigner({
    secret: SECRET,
    baseUrl: "http://localhost:8000",
    now: () => now,
  });
  const key = "staging/a b+c&d=é";
  const put = await presigner.presignPut(key, PUT);
  const expiresAt = new Date(now.getTime() + 60_000);
  assert.deepEqual(put.expiresAt, expiresAt);
  assert.deepEqual(presigner.verify(new URL(put.url)), {
    key,
    sizeBytes: 1000,
    part: null,
    expiresAt,
  });
  const upload = { key, uploadId: "1f", partSizeBytes: 5_000_000 };
  const part = await presigner.presignPart(upload, { ...PUT, partNumber: 3 });
  assert.deepEqual(presigner.verify(new URL(part.url)).part, {
    uploadId: "1f",
    partNumber: 3,
    partSizeBytes: 5_000_000,
  });
});

Deno.test("verify() rejects every change of a signed URL", async () => {
  const presigner = createDiskPresigner({ secret: SECRET, baseUrl: "http://localhost" });
  const { url } = await presigner.presignPut("staging/a", PUT);
  const changes: ((params: URLSearchParams) => void)[] = [
    (params) => params.set("key", "staging/b"),
    (params) => params.set("size", "1001"),
    (params) => params.set("expires", "99999999999999"),
    (params) => params.append("upload", "1f"),
    (params) => params.append("key", "staging/b"),
    (params) => params.delete("signature"),
    (params) => params.set("signature", ""),
    (params) => params.set("signature", "A".repeat(43)),
  ];
  for (const change of changes) {
    const changed = new URL(url);
    change(changed.searchParams);
    assert.throws(() => presigner.verify(changed), { code: "unauthorized" }, changed.search);
  }
  const other = createDiskPresigner({ secret: new Uint8Array(32).fill(8) });
  assert.throws(() => other.verify(new URL(url)), { code: "unauthorized" });
});

Deno.test("verify() rejects a URL whose time is up", async () => {
  let now = 1_000_000;
  const presigner = createDiskPresigner({
    secret: SECRET,
    baseUrl: "http://localhost",
    now: () => new Date(now),
  });
  const { url } = await presigner.presignPut("staging/a", PUT);
  now += 59_999;
  presigner.verify(new URL(url));
  now += 1;
  assert.throws(() => presigner.verify(new URL(url)), { code: "unauthorized" });
});

Deno.test("createDiskPresigner() rejects short secrets, and long lives", async () => {
  assert.throws(() => createDiskPresigner({ secret: new Uint8Array(31) }), RangeError);
  const presigner = createDiskPresigner({ secret: SECRET });
  for (const expiresInSeconds of [0, -1, NaN, 604_801]) {
    await assert.rejects(
      async () => await presigner.presignPut("a", { sizeBytes: 1, expiresInSeconds }),
      { code: "invalid_request" },
    );
  }
});
