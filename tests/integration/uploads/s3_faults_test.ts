/** Uploads on a real S3 gateway behind a proxy that fails, each followed by the sweep and a retry. */
import assert from "node:assert/strict";
import { createS3ObjectStore, ensureBucket } from "../../../src/adapters/s3/s3_object_store.ts";
import { assertInvariants, readKeys } from "../../support/invariants.ts";
import {
  type Fault,
  type FaultTarget,
  startHttpFaultProxy,
} from "../../support/http_fault_proxy.ts";
import { findTestS3, type TestS3 } from "../../support/test_s3.ts";
import {
  bodyOf,
  MIB,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
} from "../../support/upload_world.ts";

const SHORT_BYTES = 100_000;
const LONG_BYTES = 11 * MIB;

interface S3Fault {
  readonly name: string;
  readonly sizeBytes: number;
  readonly faults: readonly (readonly [Fault, FaultTarget])[];
  /** The codes that the client may get; empty when the upload succeeds. */
  readonly codes: readonly string[];
}

const raw = /\/raw\//;
const always = { times: 1_000 };
const down = ["storage_unavailable"];
const slow = ["storage_timeout", "storage_unavailable"];

const FAULTS: S3Fault[] = [
  {
    name: "a 500 and a 503 are repeated",
    sizeBytes: SHORT_BYTES,
    faults: [
      [{ kind: "answer", status: 500 }, { method: "PUT", path: raw }],
      [{ kind: "answer", status: 503 }, { method: "HEAD", path: raw }],
    ],
    codes: [],
  },
  {
    name: "500 for ever",
    sizeBytes: SHORT_BYTES,
    faults: [[{ kind: "answer", status: 500 }, { method: "PUT", path: raw, ...always }]],
    codes: [...down, "storage_error"],
  },
  {
    name: "no answer to the write",
    sizeBytes: SHORT_BYTES,
    faults: [[{ kind: "hang" }, { method: "PUT", path: raw, ...always }]],
    codes: slow,
  },
  {
    name: "the answer to the write is lost, every time",
    sizeBytes: SHORT_BYTES,
    faults: [[{ kind: "loseAnswer" }, { method: "PUT", path: raw, ...always }]],
    codes: [...down, "storage_error"],
  },
  {
    name: "the answer to the write is lost once",
    sizeBytes: SHORT_BYTES,
    faults: [[{ kind: "loseAnswer" }, { method: "PUT", path: raw }]],
    codes: [],
  },
  {
    name: "HEAD does not answer",
    sizeBytes: SHORT_BYTES,
    faults: [[{ kind: "hang" }, { method: "HEAD", path: raw, ...always }]],
    codes: slow,
  },
  {
    name: "a slow store",
    sizeBytes: LONG_BYTES,
    faults: [[{ kind: "delay", delayMs: 150 }, always]],
    codes: [],
  },
  {
    name: "the second part is reset for ever",
    sizeBytes: LONG_BYTES,
    faults: [[{ kind: "reset" }, { method: "PUT", path: /partNumber=2/, ...always }]],
    codes: down,
  },
  {
    name: "the answer to the beginning is lost",
    sizeBytes: LONG_BYTES,
    faults: [[{ kind: "loseAnswer" }, { method: "POST", path: /\?uploads/, ...always }]],
    codes: down,
  },
  {
    name: "the answer to the completion is lost once",
    sizeBytes: LONG_BYTES,
    faults: [[{ kind: "loseAnswer" }, { method: "POST", path: /uploadId=/ }]],
    codes: [],
  },
  {
    name: "the answer to the copy is lost, every time",
    sizeBytes: LONG_BYTES,
    faults: [[{ kind: "loseAnswer" }, { method: "PUT", path: raw, ...always }]],
    codes: down,
  },
  {
    name: "nothing but failures from the copy on, the tidying up included",
    sizeBytes: LONG_BYTES,
    faults: [
      [{ kind: "answer", status: 503 }, { method: "PUT", path: raw, ...always }],
      [{ kind: "answer", status: 503 }, { method: "DELETE", ...always }],
    ],
    codes: down,
  },
];

const s3 = findTestS3();
if (s3 !== null) testUploads({ ...s3, bucket: `facet-uploads-${crypto.randomUUID()}` });

function testUploads(s3: TestS3): void {
  Deno.test("Ingest.ingest() on S3 keeps every promise when it meets", async (t) => {
    await ensureBucket(s3);
    const objects = createS3ObjectStore(s3);
    const proxy = startHttpFaultProxy(s3.endpoint);
    const proxied = createS3ObjectStore({
      ...s3,
      endpoint: proxy.url,
      attemptTimeoutMs: 2_500, // a busy machine needs a second for an honest answer
      idleTimeoutMs: 2_500,
      retryDelayMs: 10,
    });
    {
      await using world = await openUploadWorld();
      const scene = { database: world.database, objects };
      const { ingest, sweep, reports } = world.addInstance({ objects: proxied });
      for (const { name, sizeBytes, faults, codes } of FAULTS) {
        await t.step(`${name} (${sizeBytes} bytes)`, async () => {
          const bytes = randomFile(sizeBytes);
          const acknowledged = [{ tenant: "acme", hash: sha256Of(bytes) }];
          const readOnly = [sha256Of(bytes)];
          for (const [fault, target] of faults) proxy.inject(fault, target);
          const code = await ingest.ingest(bodyOf(bytes), requestOf())
            .then(() => null, (error) => error.code ?? error);
          proxy.heal();
          if (codes.length === 0) assert.equal(code, null);
          else assert.ok(codes.includes(code), String(code));
          await assertInvariants(scene, { beforeSweep: true, readOnly });
          await world.expireLeases();
          assert.equal((await sweep.run()).errors, 0, reports.join("\n"));
          await assertInvariants(scene, { readOnly, acknowledged: code ? [] : acknowledged });
          assert.equal((await ingest.ingest(bodyOf(bytes), requestOf())).asset.state, "READY");
          await assertInvariants(scene, { readOnly, acknowledged });
        });
      }
    }
    await objects.deleteMany(await readKeys(objects, ""));
    await proxied.close();
    await objects.close();
    await proxy.close();
  });
}
