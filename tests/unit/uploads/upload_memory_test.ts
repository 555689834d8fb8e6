import assert from "node:assert/strict";
import { createUploadMemory } from "../../../src/uploads/upload_memory.ts";

Deno.test("createUploadMemory() refuses as uploads do, and tells that a client has gone", async () => {
  const memory = createUploadMemory({ capacity: 10, maxWaiting: 0 });
  const client = new AbortController();
  using _all = await memory.reserve(10, client.signal);
  await assert.rejects(memory.reserve(1, client.signal), {
    code: "upload_queue_full",
    retryAfterSeconds: 2,
  });
  client.abort();
  await assert.rejects(memory.reserve(1, client.signal), { code: "client_closed_request" });
});
