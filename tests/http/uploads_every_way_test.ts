import assert from "node:assert/strict";
import { openUploadApp, streamInit, type UploadApp } from "../support/upload_app.ts";
import { direct, resumable } from "../support/upload_routes.ts";
import { bodyOf, MIB, randomFile, sha256Of } from "../support/upload_world.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Way = (at: UploadApp, bytes: Bytes, key: string) => Promise<{ hash: string; id: string }>;

async function identityOf(response: Response): Promise<{ hash: string; id: string }> {
  const { contentHash, assetId } = await response.json();
  return { hash: contentHash, id: assetId };
}

/** Every way in. */
const WAYS: Readonly<Record<string, Way>> = {
  raw: async (at, body, key) =>
    await identityOf(await at.send("/v1/assets", { method: "POST", body, key })),
  stream: async (at, bytes, key) =>
    await identityOf(await at.send("/v1/assets", { ...streamInit(bodyOf(bytes)), key })),
  put: async (at, body, key) =>
    await identityOf(
      await at.send(`/v1/assets/${sha256Of(body)}`, { method: "PUT", body, key }),
    ),
  form: async (at, bytes, key) => {
    const form = new FormData();
    form.append("file", new Blob([bytes]), "f.bin");
    const response = await at.send("/v1/assets", { method: "POST", body: form, key });
    const { results: [{ asset }] } = await response.json();
    return { hash: asset.contentHash, id: asset.assetId };
  },
  tus: async (at, body, key) => {
    const response = await at.send("/v1/uploads", {
      method: "POST",
      headers: {
        "tus-resumable": "1.0.0",
        "upload-length": String(body.length),
        "content-type": "application/offset+octet-stream",
      },
      body,
      key,
    });
    return {
      hash: response.headers.get("facet-content-hash") ?? "",
      id: response.headers.get("facet-asset-id") ?? "",
    };
  },
  direct: async (at, bytes, key) => {
    const wish = JSON.stringify({ sizeBytes: bytes.length });
    const planned = await at.send("/v1/uploads/direct", { method: "POST", body: wish, key });
    const { uploadId, parts } = await planned.json();
    for (const { url, offsetBytes, sizeBytes } of parts) {
      const body = bytes.slice(offsetBytes, offsetBytes + sizeBytes);
      assert.equal((await at.send(url, { method: "PUT", body, key: null })).status, 200);
    }
    const path = `/v1/uploads/direct/${uploadId}/complete`;
    return await identityOf(await at.send(path, { method: "POST", key }));
  },
};

function openApp(): Promise<UploadApp> {
  return openUploadApp({
    more: (parts) => [...resumable()(parts), ...direct()(parts)],
  });
}

async function assertOne(at: UploadApp): Promise<void> {
  assert.equal(await at.countObjects("raw/"), 1);
  assert.equal(await at.countObjects("staging/"), 0);
  assert.equal(await at.countContents(), 1);
  await at.world.assertInvariants();
}

Deno.test("the same bytes by every way in are one hash, one object, one content row", async () => {
  for (const sizeBytes of [1, 70_000, 5 * MIB, 11 * MIB + 7]) {
    await using at = await openApp();
    const bytes = randomFile(sizeBytes) as Bytes;
    const expected = sha256Of(bytes);
    const ids = new Set<string>();
    for (const [name, way] of Object.entries(WAYS)) {
      const { hash, id } = await way(at, bytes, "acme");
      assert.equal(hash, expected, `${name}, ${sizeBytes} bytes`);
      ids.add(id);
    }
    assert.equal(ids.size, 1);
    await assertOne(at);
  }
});

Deno.test("the same bytes by every way in at once, from two tenants, are stored once", async () => {
  await using at = await openApp();
  const bytes = randomFile(6 * MIB) as Bytes;
  const work = Object.values(WAYS).flatMap((way) => [
    way(at, bytes, "acme"),
    way(at, bytes, "globex"),
  ]);
  const found = await Promise.all(work);
  assert.deepEqual(new Set(found.map((each) => each.hash)), new Set([sha256Of(bytes)]));
  assert.equal(new Set(found.map((each) => each.id)).size, 2);
  await assertOne(at);
});
