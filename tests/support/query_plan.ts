/** What EXPLAIN ANALYZE says of a query. */
import type { Sql } from "../../src/adapters/postgres/database.ts";

/** One scan of a table, with what it did. */
export interface RelationScan {
  readonly relation: string;
  /** `Seq Scan`, `Index Scan`, … */
  readonly type: string;
  readonly index: string | undefined;
  /** How often it was started; 0 when run-time pruning skipped it. */
  readonly loops: number;
  /** Rows fetched over all loops, those included that a filter threw away. */
  readonly rowsRead: number;
}

/** The plan of one query. */
export interface Plan {
  readonly scans: readonly RelationScan[];
  readonly text: string;
}

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Loops": number;
  readonly "Actual Rows": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly PlanNode[];
}

/** Runs a query under EXPLAIN ANALYZE. It takes effect; roll the transaction back. */
export async function readPlan(
  sql: Sql,
  query: (sql: Sql) => PromiseLike<unknown>,
): Promise<Plan> {
  const [row] = await query(prefixed(sql)) as { "QUERY PLAN": [{ Plan: PlanNode }] }[];
  const [{ Plan: root }] = row["QUERY PLAN"];
  return { scans: [...findScans(root)], text: JSON.stringify(root, null, 2) };
}

/**
 * A tagged template whose first use is the whole query: fragments are made by the same template,
 * before it or inside it, and never sent by themselves.
 */
function prefixed(sql: Sql): Sql {
  return new Proxy(sql, {
    apply(target, self, args) {
      const [strings, ...values] = args as [TemplateStringsArray, ...unknown[]];
      const isStatement = Array.isArray((strings as { raw?: unknown }).raw) &&
        /^\s*(select|with|update|insert|delete)\b/i.test(strings[0]);
      if (!isStatement) return Reflect.apply(target, self, args);
      const first = `explain (analyze, format json) ${strings[0]}`;
      const marked = Object.assign([first, ...strings.slice(1)], {
        raw: [first, ...strings.slice(1)],
      });
      return Reflect.apply(target, self, [marked, ...values]);
    },
  });
}

function* findScans(node: PlanNode): Generator<RelationScan> {
  const relation = node["Relation Name"];
  if (relation !== undefined) {
    yield {
      relation,
      type: node["Node Type"],
      index: node["Index Name"],
      loops: node["Actual Loops"],
      rowsRead: node["Actual Loops"] *
        (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)),
    };
  }
  for (const child of node.Plans ?? []) yield* findScans(child);
}
