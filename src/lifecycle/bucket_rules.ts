import { RAW_PREFIX, STAGING_PREFIX } from "../core/object_keys.ts";
import type { BucketLifecycle, LifecycleRule } from "../core/storage_class.ts";

/**
 * Which S3 it is. They share the protocol but not the classes: R2 has no archive, and Ceph only the
 * classes that its zone defines, so that there the operator says so.
 */
export type StoreDialect = "aws" | "r2" | "ceph" | "ceph-tiered";

/** Starts the ids of our rules. */
const OURS = "facet-";

/** What the rules depend on. */
export interface RuleOptions {
  readonly dialect: StoreDialect;
  /** An upload may be under way for so long. Days. */
  readonly uploadDays: number;
}

/** The rules for a bucket: originals cool down, what uploads leave behind goes. */
export function buildBucketRules({ dialect, uploadDays }: RuleOptions): LifecycleRule[] {
  const infrequent = { afterDays: 30, to: "infrequent" } as const;
  const archive = { afterDays: 365, to: "archive" } as const;
  const transitions = {
    aws: [infrequent, archive],
    r2: [infrequent],
    ceph: [],
    "ceph-tiered": [infrequent, archive],
  }[dialect];
  // The sweep removes leftovers after two days; this is for when no sweep runs any more.
  const leftoverDays = Math.max(7, uploadDays + 2);
  return [
    {
      id: `${OURS}raw`,
      prefix: RAW_PREFIX,
      transitions,
      expireAfterDays: null,
      abortMultipartAfterDays: leftoverDays,
    },
    {
      id: `${OURS}staging`,
      prefix: STAGING_PREFIX,
      transitions: [],
      expireAfterDays: leftoverDays,
      abortMultipartAfterDays: leftoverDays,
    },
  ];
}

/** What is in force, and what would be. */
export interface RulePlan {
  /** Null when the store keeps no rules. */
  readonly current: readonly LifecycleRule[] | null;
  readonly wanted: readonly LifecycleRule[];
  /** Rules that are not ours and would be lost: a store replaces all rules at once. */
  readonly foreign: readonly LifecycleRule[];
  /** Whether nothing has to be done. */
  readonly inForce: boolean;
}

/** Compares the rules in force with ours. */
export async function planBucketRules(
  bucket: Pick<BucketLifecycle, "getLifecycle">,
  options: RuleOptions,
): Promise<RulePlan> {
  const current = await bucket.getLifecycle();
  const wanted = buildBucketRules(options);
  const others = (current ?? []).filter(({ id }) => !id.startsWith(OURS));
  // R2 makes such a rule for every bucket. It can be written back as it was read.
  const kept = others.filter(isPlainAbort);
  const foreign = others.filter((rule) => !isPlainAbort(rule));
  const all = [...wanted, ...kept];
  return { current, wanted: all, foreign, inForce: haveSameRules(current ?? [], all) };
}

/** What became of the rules. */
export type ApplyOutcome =
  | { readonly outcome: "applied" | "in_force"; readonly rules: readonly LifecycleRule[] }
  | { readonly outcome: "unsupported" }
  | { readonly outcome: "foreign"; readonly foreign: readonly LifecycleRule[] }
  /** The store took the rules and says now that it has others. */
  | { readonly outcome: "differs"; readonly rules: readonly LifecycleRule[] };

/** Puts our rules in force and asks the store what it made of them. */
export async function applyBucketRules(
  bucket: BucketLifecycle,
  options: RuleOptions,
): Promise<ApplyOutcome> {
  const plan = await planBucketRules(bucket, options);
  if (plan.current === null) return { outcome: "unsupported" };
  if (plan.foreign.length > 0) return { outcome: "foreign", foreign: plan.foreign };
  if (plan.inForce) return { outcome: "in_force", rules: plan.current };
  await bucket.putLifecycle(plan.wanted);
  const rules = await bucket.getLifecycle() ?? [];
  return { outcome: haveSameRules(rules, plan.wanted) ? "applied" : "differs", rules };
}

function isPlainAbort(rule: LifecycleRule): boolean {
  return !rule.isPartial && rule.transitions.length === 0 && rule.expireAfterDays === null &&
    rule.abortMultipartAfterDays !== null;
}

/** Stores give rules back in any order. */
function haveSameRules(a: readonly LifecycleRule[], b: readonly LifecycleRule[]): boolean {
  const format = (rules: readonly LifecycleRule[]) =>
    JSON.stringify(rules.map((rule) => formatBucketRule(rule)).sort());
  return format(a) === format(b);
}

/** One rule as a sentence. */
export function formatBucketRule(rule: LifecycleRule): string {
  const { id, prefix, transitions, expireAfterDays, abortMultipartAfterDays } = rule;
  const parts = [
    ...[...transitions].sort((a, b) => a.afterDays - b.afterDays)
      .map(({ afterDays, to }) => `to ${to} after ${afterDays} days`),
    ...(expireAfterDays === null ? [] : [`removed after ${expireAfterDays} days`]),
    ...(abortMultipartAfterDays === null
      ? []
      : [`open uploads aborted after ${abortMultipartAfterDays} days`]),
    ...(rule.isPartial ? ["and more than can be shown here"] : []),
    ...(rule.isDisabled ? ["but switched off"] : []),
  ];
  return `${id} (${prefix === "" ? "everything" : prefix}): ${parts.join(", ")}`;
}
