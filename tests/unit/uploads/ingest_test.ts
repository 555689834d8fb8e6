import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ContentHash } from "../../../src/core/content_hash.ts";
import { hasCode } from "../../../src/errors.ts";
import { exifBlock, frameHeader, jpegOf, segment } from "../../support/image_builder.ts";
import { readKeys, readRows } from "../../support/invariants.ts";
import {
  bodyOf,
  MIB,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
  type UploadWorld,
} from "../../support/upload_world.ts";

/** One world for the tests of this file, since a database takes its time to start. */
async function testIn(
  t: Deno.TestContext,
  world: UploadWorld,
  cases: Record<string, (world: UploadWorld) => Promise<void>>,
): Promise<void> {
  for (const [name, run] of Object.entries(cases)) {
    await t.step(name, async () => {
      await run(world);
      await world.assertInvariants();
      assert.deepEqual(world.reports, []);
    });
  }
}

Deno.test("Ingest.ingest()", async (t) => {
  await using world = await openUploadWorld();
  await testIn(t, world, SHORT_BODIES);
  await testIn(t, world, LONG_BODIES);
  await testIn(t, world, REFUSALS);
  await testIn(t, world, TENANTS);
});

const SHORT_BODIES: Record<string, (world: UploadWorld) => Promise<void>> = {
  async "stores a short body under its hash with one write and no staging"(world) {
    const bytes = randomFile(100_000);
    const { puts, parts } = { puts: world.faults.calls.put, parts: world.faults.calls.uploadPart };
    const { created, asset } = await world.ingest.ingest(
      bodyOf(bytes),
      requestOf({ fileName: "../a\u202eb.bin", contentLength: bytes.length }),
    );
    assert.equal(created, true);
    assert.equal(asset.contentHash, sha256Of(bytes));
    assert.equal(asset.state, "READY");
    assert.equal(asset.sizeBytes, bytes.length);
    assert.equal(asset.fileName, "ab.bin");
    assert.equal(asset.mediaType, "application/octet-stream");
    assert.equal(asset.width, null);
    assert.equal(world.faults.calls.put, puts + 1);
    assert.equal(world.faults.calls.uploadPart, parts);
  },

  async "records the facts of an image, upright, whatever it was called"(world) {
    const bytes = jpegOf(
      segment(0xe1, "Exif\0\0", exifBlock(6)),
      frameHeader(40, 30),
      segment(0xfe, crypto.randomUUID()),
    );
    const { asset } = await world.ingest.ingest(
      bodyOf(bytes),
      requestOf({ claimedType: "text/html", fileName: "x.html" }),
    );
    assert.equal(asset.mediaType, "image/jpeg");
    assert.deepEqual([asset.width, asset.height, asset.orientation], [30, 40, 6]);
    assert.deepEqual([asset.frames, asset.colorModel, asset.bitDepth], [1, "rgb", 8]);
  },

  async "stores a broken image as what it looks like, without a size"(world) {
    const bytes = jpegOf(frameHeader(40, 30)).subarray(0, 8);
    const { asset } = await world.ingest.ingest(bodyOf(bytes), requestOf());
    assert.deepEqual([asset.mediaType, asset.width], ["image/jpeg", null]);
  },

  async "keeps a claimed type for text"(world) {
    const bytes = new TextEncoder().encode(`a,b\n${crypto.randomUUID()},ü\n`);
    const { asset } = await world.ingest.ingest(
      bodyOf(bytes),
      requestOf({ claimedType: "Text/CSV; charset=utf-8" }),
    );
    assert.equal(asset.mediaType, "text/csv");
  },

  async "writes nothing for bytes that are known, and keeps the first reference"(world) {
    const bytes = randomFile(5_000);
    const first = await world.ingest.ingest(bodyOf(bytes), requestOf({ fileName: "one" }));
    const puts = world.faults.calls.put;
    const second = await world.ingest.ingest(bodyOf(bytes), requestOf({ fileName: "two" }));
    assert.equal(second.created, false);
    assert.deepEqual(second.asset, first.asset);
    assert.equal(world.faults.calls.put, puts);
  },

  async "takes a single byte and a body of exactly one part"(world) {
    for (const bytes of [randomFile(1), randomFile(5 * MIB)]) {
      const parts = world.faults.calls.uploadPart;
      const { asset } = await world.ingest.ingest(bodyOf(bytes), requestOf());
      assert.equal(asset.contentHash, sha256Of(bytes));
      assert.equal(world.faults.calls.uploadPart, parts);
    }
  },
};

const LONG_BODIES: Record<string, (world: UploadWorld) => Promise<void>> = {
  async "stages a long body in parts and leaves nothing behind"(world) {
    const bytes = randomFile(17 * MIB + 3);
    const parts = world.faults.calls.uploadPart;
    const { created, asset } = await world.ingest.ingest(
      bodyOf(bytes),
      requestOf({ contentLength: bytes.length }),
    );
    assert.equal(created, true);
    assert.equal(asset.contentHash, sha256Of(bytes));
    assert.equal(world.faults.calls.uploadPart, parts + 4);
  },

  async "stages a body of unknown length one byte longer than a part"(world) {
    const bytes = randomFile(5 * MIB + 1);
    const { asset } = await world.ingest.ingest(bodyOf(bytes), requestOf());
    assert.equal(asset.sizeBytes, bytes.length);
  },

  async "reads the facts of a long image from what was stored"(world) {
    const comment = segment(0xfe, new Uint8Array(60_000));
    const jpeg = Buffer.concat([
      Uint8Array.of(0xff, 0xd8),
      ...new Array(100).fill(comment), // pushes the frame header far into the file
      jpegOf(frameHeader(300, 200)).subarray(2),
    ]);
    assert.ok(jpeg.byteLength > 5 * MIB);
    const { asset } = await world.ingest.ingest(bodyOf(jpeg), requestOf());
    assert.deepEqual([asset.width, asset.height], [300, 200]);
  },

  async "does not complete the staging of bytes that are known"(world) {
    const bytes = randomFile(6 * MIB);
    await world.ingest.ingest(bodyOf(bytes), requestOf());
    const completed = world.faults.calls.completeMultipart;
    const again = await world.ingest.ingest(bodyOf(bytes), requestOf());
    assert.equal(again.created, false);
    assert.equal(world.faults.calls.completeMultipart, completed);
  },
};

const REFUSALS: Record<string, (world: UploadWorld) => Promise<void>> = {
  async "refuses an empty body"(world) {
    for (const request of [requestOf(), requestOf({ contentLength: 0 })]) {
      await assert.rejects(
        world.ingest.ingest(bodyOf(new Uint8Array(0)), request),
        (error) => hasCode(error, "empty_body"),
      );
    }
  },

  async "refuses a body over the limit, with and without a declared length, and keeps nothing"(
    world,
  ) {
    const small = world.addInstance({ limits: { maxBytes: 6 * MIB } });
    const rows = (await readRows(world.database)).length;
    const bytes = randomFile(6 * MIB + 1);
    for (const request of [requestOf(), requestOf({ contentLength: bytes.length })]) {
      await assert.rejects(
        small.ingest.ingest(bodyOf(bytes), request),
        (error) => hasCode(error, "body_too_large"),
      );
    }
    assert.equal((await readRows(world.database)).length, rows);
  },

  async "refuses other bytes than declared, short or long, and keeps nothing"(world) {
    const declared = sha256Of(randomFile(10)) as ContentHash;
    for (const bytes of [randomFile(1_000), randomFile(6 * MIB)]) {
      const digest = new Uint8Array(32);
      for (
        const more of [
          { expectedHash: declared },
          { expectedSha256Digests: [digest] },
          { expectedHash: sha256Of(bytes) as ContentHash, expectedSha256Digests: [digest] },
        ]
      ) {
        await assert.rejects(
          world.ingest.ingest(bodyOf(bytes), requestOf(more)),
          (error) => hasCode(error, "digest_mismatch"),
        );
      }
      const keys = await readKeys(world.objects, "raw/");
      assert.ok(!keys.some((key) => key.endsWith(declared) || key.endsWith(sha256Of(bytes))));
    }
  },

  async "accepts what was declared rightly"(world) {
    const bytes = randomFile(2_000);
    const { asset } = await world.ingest.ingest(
      bodyOf(bytes),
      requestOf({
        expectedHash: sha256Of(bytes) as ContentHash,
        expectedSha256Digests: [Buffer.from(sha256Of(bytes), "hex")],
      }),
    );
    assert.equal(asset.state, "READY");
  },

  async "refuses NUL in a file name before reading, and cancels the body"(world) {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
    await assert.rejects(
      world.ingest.ingest(body, requestOf({ fileName: "a\0b" })),
      (error) => hasCode(error, "invalid_request"),
    );
    assert.ok(cancelled);
  },

  async "answers upload_queue_full when too many bytes are held, and recovers"(world) {
    const tight = world.addInstance({ limits: { maxHeldBytes: MIB, maxWaitMs: 50 } });
    let finish = () => {};
    const stalled = new ReadableStream<Uint8Array>({
      start(controller) {
        finish = () => {
          controller.enqueue(randomFile(MIB));
          controller.close();
        };
      },
    });
    const first = tight.ingest.ingest(stalled, requestOf({ contentLength: MIB }));
    await assert.rejects(
      tight.ingest.ingest(bodyOf(randomFile(10)), requestOf({ contentLength: 10 })),
      (error) => hasCode(error, "upload_queue_full") && error.retryAfterSeconds! >= 1,
    );
    finish();
    await first;
    await tight.ingest.ingest(bodyOf(randomFile(10)), requestOf({ contentLength: 10 }));
  },
};

const TENANTS: Record<string, (world: UploadWorld) => Promise<void>> = {
  async "gives each tenant its own reference to one object, and answers both as new"(world) {
    const bytes = randomFile(3_000);
    const a = await world.ingest.ingest(bodyOf(bytes), requestOf({ tenant: "a", fileName: "a" }));
    const puts = world.faults.calls.put;
    const b = await world.ingest.ingest(bodyOf(bytes), requestOf({ tenant: "b", fileName: "b" }));
    assert.equal(b.created, true, "whether others have the bytes is nobody's business");
    assert.notEqual(a.asset.assetId, b.asset.assetId);
    assert.equal(b.asset.fileName, "b");
    assert.equal(world.faults.calls.put, puts);
  },

  async "knows content only for tenants that have a reference to it"(world) {
    const bytes = randomFile(3_000);
    const hash = sha256Of(bytes) as ContentHash;
    assert.equal(await world.ingest.knownToTenant("a", hash), null);
    await world.ingest.ingest(bodyOf(bytes), requestOf({ tenant: "a" }));
    assert.equal((await world.ingest.knownToTenant("a", hash))?.contentHash, hash);
    assert.equal(await world.ingest.knownToTenant("b", hash), null);
  },

  async "opens private content to the public when somebody uploads it so, and never back"(world) {
    const bytes = randomFile(3_000);
    const upload = async (tenant: string, visibility: "public" | "private") =>
      (await world.ingest.ingest(bodyOf(bytes), requestOf({ tenant, visibility }))).asset
        .visibility;
    assert.equal(await upload("a", "private"), "private");
    assert.equal(await upload("b", "private"), "private");
    assert.equal(await upload("c", "public"), "public");
    assert.equal(await upload("a", "private"), "public");
  },

  async "does not publish a tenant's private bytes when it sends them again without a word"(world) {
    const bytes = randomFile(3_000);
    const upload = async (tenant: string, more: { visibility?: "private" } = {}) =>
      (await world.ingest.ingest(bodyOf(bytes), requestOf({ tenant, ...more }))).asset.visibility;
    assert.equal(await upload("a", { visibility: "private" }), "private");
    assert.equal(await upload("a"), "private");
    assert.equal(await upload("b"), "public", "another tenant's upload is public by default");
  },
};

Deno.test("Ingest makes placeholders after the answer, and survives their failure", async () => {
  const begun: string[] = [];
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  await using world = await openUploadWorld({
    placeholders: {
      maker: {
        async makePlaceholder(hash) {
          begun.push(hash);
          await held;
          if (begun.length === 1) throw new Error("cannot decode");
          return { thumbHash: Uint8Array.of(1, 2, 3), dominantColor: "#a0b0c0" };
        },
      },
      store: { savePlaceholder: (hash, it) => Promise.resolve(void saved.set(hash, it)) },
    },
  });
  const saved = new Map<string, unknown>();
  const image = () => jpegOf(frameHeader(40, 30), segment(0xfe, crypto.randomUUID()));
  const first = await world.ingest.ingest(bodyOf(image()), requestOf());
  const second = await world.ingest.ingest(bodyOf(image()), requestOf());
  await world.ingest.ingest(bodyOf(randomFile(10)), requestOf());
  assert.deepEqual(begun, [first.asset.contentHash], "one at a time, and the answers are here");
  release();
  await world.ingest.settled();
  assert.deepEqual([...saved.keys()], [second.asset.contentHash]);
  assert.deepEqual(world.reports, ["placeholder failed: Error: cannot decode"]);
});
