import { parseArgs } from "node:util";
import type { CostReport } from "../costs/cost_report.ts";
import { formatReportCsv, formatReportText } from "../costs/format_report.ts";

/** What {@linkcode runCostCommand} needs. */
export interface CostCommandDeps {
  /** @throws {TypeError} When the profile is none, with what is wrong. */
  readonly report: (
    request: { readonly days: number; readonly profile: string | null },
  ) => Promise<CostReport>;
  readonly printLine: (text?: string) => void;
  readonly printErrorLine: (text: string) => void;
}

const USAGE = `Usage:
  cost [--days 30] [--profile r2|s3|reference|FILE.json] [--format table|json|csv]`;

const FORMATS: Readonly<Record<string, (report: CostReport) => string>> = {
  table: formatReportText,
  json: (report) => JSON.stringify(report, null, 2),
  csv: formatReportCsv,
};

/** `cost`. Returns the exit code: 0 done, 2 wrong usage. */
export async function runCostCommand(
  args: readonly string[],
  deps: CostCommandDeps,
): Promise<number> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        days: { type: "string", default: "30" },
        profile: { type: "string" },
        format: { type: "string", default: "table" },
      },
    });
    const days = /^\d{1,3}$/.test(values.days) ? Number(values.days) : 0;
    if (days < 1 || days > 366) throw new TypeError("--days is a whole number from 1 to 366");
    if (!Object.hasOwn(FORMATS, values.format)) {
      throw new TypeError("--format is one of table, json and csv");
    }
    const report = await deps.report({ days, profile: values.profile ?? null });
    deps.printLine(FORMATS[values.format](report));
    return 0;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    deps.printErrorLine(`facet: cost: ${error.message}\n${USAGE}`);
    return 2;
  }
}
