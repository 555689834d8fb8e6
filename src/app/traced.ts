/**
 * Spans around what the service is made of. Where nobody exports spans the parts are returned as
 * they are, so that tracing costs a warm hit nothing.
 *
 * @module
 */
import type { DatabaseEvent } from "../adapters/postgres/database.ts";
import type { ObjectStore } from "../core/object_store.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { Ingest } from "../uploads/ports.ts";
import type { VariantService } from "../variants/variant_service.ts";

/** A span for each delivery of a variant, with one below it for each stage. */
export function traceVariants(service: VariantService, tracing: Tracing): VariantService {
  if (!tracing.enabled) return service;
  return {
    ...service,
    deliver: (request) =>
      tracing.run("variant", {}, async (span) => {
        const delivery = await service.deliver(request);
        if (delivery.kind === "not_modified") {
          span.describe({ "facet.cache": "NOT_MODIFIED" });
          return delivery;
        }
        span.describe({
          "facet.cache": delivery.tier,
          "facet.cache_lock": delivery.lock,
          "facet.format": request.spec.format,
          "facet.bytes": delivery.entry.bytes.byteLength,
        });
        span.addStages(delivery.stages);
        return delivery;
      }),
  };
}

/** A span for each upload, whichever way it comes in. */
export function traceIngest(ingest: Ingest, tracing: Tracing): Ingest {
  if (!tracing.enabled) return ingest;
  return {
    ...ingest,
    ingest: (body, request) =>
      tracing.run("upload", {}, async (span) => {
        const result = await ingest.ingest(body, request);
        span.describe({ "facet.bytes": result.asset.sizeBytes, "facet.created": result.created });
        return result;
      }),
    adoptStaged: (upload) => tracing.run("upload", {}, () => ingest.adoptStaged(upload)),
  };
}

/** Adds a span for each query or transaction, by the name that the caller gave it. */
export function traceDatabase(
  tracing: Tracing,
  observe: (event: DatabaseEvent) => void,
): (event: DatabaseEvent) => void {
  if (!tracing.enabled) return observe;
  return (event) => {
    observe(event);
    const { kind, name, durationMs, attempts, error } = event;
    const attributes = {
      "db.system.name": "postgresql",
      "db.operation.name": name,
      "facet.kind": kind,
      "facet.attempts": attempts,
    };
    tracing.record(`sql ${name}`, {
      durationMs,
      attributes,
      ...(error === undefined ? {} : { error }),
    });
  };
}

/** Calls of the store that wait for an answer. Listings are many calls, each a `fetch` span of Deno's. */
const STORE_CALLS = [
  "head",
  "get",
  "put",
  "copy",
  "delete",
  "deleteMany",
  "createMultipart",
  "uploadPart",
  "completeMultipart",
  "abortMultipart",
  "listParts",
  "ping",
] as const satisfies readonly (keyof ObjectStore)[];

/** A span for each call of the object store; of a read it ends when the body begins. */
export function traceStore(store: ObjectStore, tracing: Tracing): ObjectStore {
  if (!tracing.enabled) return store;
  const traced: Record<string, unknown> = {};
  for (const name of STORE_CALLS) {
    const call = store[name] as (...args: unknown[]) => Promise<unknown>;
    traced[name] = (...args: unknown[]) =>
      tracing.run(
        `storage ${name}`,
        { "facet.operation": name },
        () => call.apply(store, args),
      );
  }
  return { ...store, ...traced };
}
