import { formatVariantSpec } from "../core/variant_spec.ts";
import type { AccessRecorder } from "./ports.ts";
import type { VariantDelivery, VariantRequest } from "./variant_request.ts";

/** Stages in which a request waits, and nothing is computed for it. */
const WAITING_STAGES: ReadonlySet<string> = new Set([
  "lookup",
  "kv",
  "wait",
  "line",
  "read",
  "queue",
]);

/** What the statistics keep of a delivery. */
export function describeAccess(
  request: VariantRequest,
  delivery: VariantDelivery,
): Parameters<AccessRecorder["record"]>[0] {
  const { hash, spec, names } = request;
  const variant = names?.spelling ?? formatVariantSpec(spec);
  if (delivery.kind === "not_modified") {
    return { hash, variant, tier: "NOT_MODIFIED", bytes: 0, renderMs: null };
  }
  const { tier, entry, lock, stages } = delivery;
  const renderMs = lock === "leader" ? sumCompute(stages) : null;
  return { hash, variant, tier, bytes: entry.bytes.byteLength, renderMs };
}

function sumCompute(stages: Readonly<Record<string, number>>): number {
  return Object.entries(stages)
    .reduce((sum, [name, ms]) => WAITING_STAGES.has(name) ? sum : sum + ms, 0);
}
