/** Faults of clients and of the object store, each followed by the sweep and a retry. */
import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../../../src/errors.ts";
import { pause } from "../../../src/uploads/catalog_retry.ts";
import type { Fault, FaultyObjects } from "../../support/faulty_objects.ts";
import {
  bodyOf,
  brokenBodyOf,
  MIB,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
  type UploadWorld,
} from "../../support/upload_world.ts";

const SHORT_BYTES = 200_000;
const LONG_BYTES = 11 * MIB;

/** A way to fail, and how the client learns of it; null when the upload succeeds all the same. */
interface FaultCase {
  readonly name: string;
  readonly sizes: readonly number[];
  readonly code: ErrorCode | null;
  inject?(faults: FaultyObjects): void;
  upload?(world: UploadWorld, bytes: Uint8Array): Promise<unknown>;
}

const BOTH = [SHORT_BYTES, LONG_BYTES];

function fail(when: Fault["when"], code: ErrorCode = "storage_unavailable"): Fault {
  return {
    when,
    act() {
      throw new AppError(code, "injected");
    },
  };
}

/** Never answers; ends only because the caller's own patience does. */
function hang(when: Fault["when"]): Fault {
  return {
    when,
    async act(signal) {
      await pause(300, signal);
      throw new AppError("storage_timeout", "injected");
    },
  };
}

const CLIENT_FAULTS: FaultCase[] = [
  ...[0.1, 0.5, 1].map((share): FaultCase => ({
    name: `the connection is reset after ${share * 100} % of the body`,
    sizes: BOTH,
    code: "incomplete_body",
    upload: (world, bytes) =>
      world.ingest.ingest(
        brokenBodyOf(bytes, Math.max(1, Math.floor(bytes.length * share) - 1)),
        requestOf({ contentLength: bytes.length }),
      ),
  })),
  {
    name: "the client goes silent and then away",
    sizes: BOTH,
    code: "client_closed_request",
    async upload(world, bytes) {
      const gone = new AbortController();
      let sent = 0;
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (sent >= bytes.length * 0.8) {
            setTimeout(() => gone.abort(), 20);
            await new Promise(() => {});
          }
          controller.enqueue(bytes.slice(sent, sent += 100_000));
        },
      });
      return await world.ingest.ingest(body, requestOf({ signal: gone.signal }));
    },
  },
  {
    name: "the body is shorter than its Content-Length",
    sizes: BOTH,
    code: "incomplete_body",
    upload: (world, bytes) =>
      world.ingest.ingest(bodyOf(bytes), requestOf({ contentLength: bytes.length + 1 })),
  },
  {
    name: "the body is longer than its Content-Length",
    sizes: BOTH,
    code: "invalid_request",
    upload: (world, bytes) =>
      world.ingest.ingest(bodyOf(bytes), requestOf({ contentLength: bytes.length - 1 })),
  },
];

const STORE_FAULTS: FaultCase[] = [
  {
    name: "the store answers 500 to the write",
    sizes: [SHORT_BYTES],
    code: "storage_unavailable",
    inject: (faults) => faults.plan("put", fail("before")),
  },
  {
    name: "the store writes and loses the answer",
    sizes: [SHORT_BYTES],
    code: "storage_timeout",
    inject: (faults) => faults.plan("put", hang("after")),
  },
  {
    name: "the store does not answer the write",
    sizes: [SHORT_BYTES],
    code: "storage_timeout",
    inject: (faults) => faults.plan("put", hang("before")),
  },
  {
    name: "the store is full",
    sizes: BOTH,
    code: "storage_full",
    inject(faults) {
      faults.plan("put", fail("before", "storage_full"));
      faults.plan("uploadPart", null, fail("before", "storage_full"));
    },
  },
  ...[0, 1, 2].map((n): FaultCase => ({
    name: `the store fails at part ${n + 1}`,
    sizes: [LONG_BYTES],
    code: "storage_unavailable",
    inject: (faults) =>
      faults.plan("uploadPart", ...new Array(n).fill(null), fail(n === 1 ? "after" : "before")),
  })),
  ...(["createMultipart", "completeMultipart", "copy"] as const).flatMap((call) =>
    (["before", "after"] as const).map((when): FaultCase => ({
      name: `${call} fails ${when} it is done`,
      sizes: [LONG_BYTES],
      code: "storage_unavailable",
      inject: (faults) => faults.plan(call, fail(when)),
    }))
  ),
  {
    name: "the store cannot be asked what it has",
    sizes: BOTH,
    code: "storage_unavailable",
    inject: (faults) => faults.plan("head", fail("before")),
  },
  {
    name: "the stored bytes cannot be read for their facts",
    sizes: [LONG_BYTES],
    code: "storage_error",
    inject: (faults) => faults.plan("get", fail("before", "storage_error")),
  },
  {
    name: "the store fails, and then the tidying up fails too",
    sizes: [LONG_BYTES],
    code: "storage_unavailable",
    inject(faults) {
      faults.plan("copy", fail("before"));
      faults.plan("delete", fail("before"));
      faults.plan("abortMultipart", fail("before"));
    },
  },
  {
    name: "only the tidying up fails",
    sizes: [LONG_BYTES],
    code: null,
    inject: (faults) => faults.plan("delete", fail("before")),
  },
  {
    name: "the store is slow",
    sizes: BOTH,
    code: null,
    inject(faults) {
      const slow: Fault = { when: "before", act: () => pause(100) };
      for (const call of ["put", "head", "uploadPart", "copy"] as const) {
        faults.plan(call, slow, slow);
      }
    },
  },
];

Deno.test("Ingest.ingest() keeps every promise when", async (t) => {
  await using world = await openUploadWorld();
  for (const fault of [...CLIENT_FAULTS, ...STORE_FAULTS]) {
    for (const size of fault.sizes) {
      await t.step(`${fault.name} (${size} bytes)`, () => testFault(world, fault, size));
    }
  }
});

async function testFault(world: UploadWorld, fault: FaultCase, size: number): Promise<void> {
  const bytes = randomFile(size);
  const hash = sha256Of(bytes);
  const acknowledged = [{ tenant: "acme", hash }];
  const readOnly = [hash];
  fault.inject?.(world.faults);
  const upload = fault.upload
    ? fault.upload(world, bytes)
    : world.ingest.ingest(bodyOf(bytes), requestOf({ contentLength: bytes.length }));
  const code = await upload.then(() => null, (error) => error.code ?? error);
  for (const call of Object.keys(world.faults.calls)) {
    world.faults.plan(call as keyof typeof world.faults.calls);
  }
  assert.equal(code, fault.code);
  await world.assertInvariants({
    beforeSweep: true,
    readOnly,
    acknowledged: code ? [] : acknowledged,
  });

  await world.expireLeases();
  const report = await world.sweep.run();
  assert.equal(report.errors, 0, world.reports.join("\n"));
  await world.assertInvariants({ readOnly, acknowledged: code ? [] : acknowledged });

  const again = await world.ingest.ingest(bodyOf(bytes), requestOf());
  assert.equal(again.asset.contentHash, hash);
  assert.equal(again.asset.state, "READY");
  await world.assertInvariants({ readOnly, acknowledged });
}

Deno.test("Ingest.ingest() fails with object_mismatch when the store keeps other bytes", async () => {
  await using world = await openUploadWorld();
  const { objects } = world;
  const lying = world.addInstance({
    objects: {
      ...objects,
      put: (key, bytes, options) =>
        objects.put(key, bytes.subarray(1), { ...options, sha256: undefined }),
    },
  });
  const bytes = randomFile(1_000);
  await assert.rejects(lying.ingest.ingest(bodyOf(bytes), requestOf()), {
    code: "object_mismatch",
  });
  await world.assertInvariants();
  const { asset } = await world.ingest.ingest(bodyOf(bytes), requestOf());
  await world.assertInvariants({ acknowledged: [{ tenant: "acme", hash: asset.contentHash }] });
});
