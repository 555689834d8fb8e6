import { parseArgs } from "node:util";
import type { BucketLifecycle } from "../core/storage_class.ts";
import {
  applyBucketRules,
  formatBucketRule,
  planBucketRules,
  type RuleOptions,
} from "../lifecycle/bucket_rules.ts";

/** What {@linkcode runLifecycleCommand} needs. */
export interface LifecycleCommandDeps extends RuleOptions {
  readonly bucket: BucketLifecycle;
  readonly printLine: (text?: string) => void;
  readonly printErrorLine: (text: string) => void;
}

const USAGE = `Usage:
  lifecycle --show     the bucket's rules, and ours
  lifecycle --apply    puts ours in force; refuses to replace rules of others`;

const UNSUPPORTED = "facet: lifecycle: this store keeps no rules";

/** `lifecycle --show|--apply`. Returns the exit code: 0 done, 1 refused or not taken, 2 usage. */
export async function runLifecycleCommand(
  args: readonly string[],
  deps: LifecycleCommandDeps,
): Promise<number> {
  const action = parseAction(args);
  if (action === null) {
    deps.printErrorLine(USAGE);
    return 2;
  }
  return action === "show" ? await show(deps) : await apply(deps);
}

function parseAction(args: readonly string[]): "show" | "apply" | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { show: { type: "boolean" }, apply: { type: "boolean" } },
    });
    if (values.show === values.apply) return null;
    return values.apply ? "apply" : "show";
  } catch {
    return null;
  }
}

async function show(deps: LifecycleCommandDeps): Promise<number> {
  const { current, wanted, foreign, inForce } = await planBucketRules(deps.bucket, deps);
  deps.printLine(`dialect: ${deps.dialect}`);
  if (current === null) {
    deps.printErrorLine(UNSUPPORTED);
    return 1;
  }
  deps.printLine(current.length === 0 ? "in force: none" : "in force:");
  for (const rule of current) deps.printLine(`  ${formatBucketRule(rule)}`);
  deps.printLine(inForce ? "these are ours" : "ours:");
  if (!inForce) { for (const rule of wanted) deps.printLine(`  ${formatBucketRule(rule)}`); }
  if (foreign.length > 0) deps.printLine(`${foreign.length} rules are not ours: --apply refuses`);
  return 0;
}

async function apply(deps: LifecycleCommandDeps): Promise<number> {
  const result = await applyBucketRules(deps.bucket, deps);
  switch (result.outcome) {
    case "unsupported":
      deps.printErrorLine(UNSUPPORTED);
      return 1;
    case "foreign":
      deps.printErrorLine("facet: lifecycle: rules of others would be lost; nothing was changed:");
      for (const rule of result.foreign) deps.printErrorLine(`  ${formatBucketRule(rule)}`);
      return 1;
    case "differs":
      deps.printErrorLine("facet: lifecycle: the store has made other rules of them:");
      for (const rule of result.rules) deps.printErrorLine(`  ${formatBucketRule(rule)}`);
      return 1;
    default:
      deps.printLine(result.outcome === "applied" ? "applied:" : "in force already:");
      for (const rule of result.rules) deps.printLine(`  ${formatBucketRule(rule)}`);
      return 0;
  }
}
