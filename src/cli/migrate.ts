import { AppError } from "../errors.ts";

/** What {@linkcode runMigrateCommand} needs. */
export interface MigrateCommandDeps {
  /** Applies what is missing; fails with an error named `MigrationError` when that cannot be. */
  readonly migrate: () => Promise<{
    readonly applied: readonly string[];
    readonly alreadyApplied: readonly string[];
    readonly unknown: readonly string[];
  }>;
  readonly printLine: (text: string) => void;
  readonly printErrorLine: (text: string) => void;
}

/** `migrate`: brings the database up to date. Returns the exit code. */
export async function runMigrateCommand(deps: MigrateCommandDeps): Promise<number> {
  try {
    const { applied, alreadyApplied, unknown } = await deps.migrate();
    for (const id of applied) deps.printLine(`applied ${id}`);
    for (const id of unknown) {
      deps.printLine(`left alone ${id}: applied by a newer version of the service`);
    }
    deps.printLine(
      applied.length > 0
        ? `the database is up to date: ${applied.length} applied, ${alreadyApplied.length} before`
        : `the database was up to date: ${alreadyApplied.length} migrations`,
    );
    return 0;
  } catch (error) {
    const expected = error instanceof AppError ||
      (error instanceof Error && error.name === "MigrationError");
    if (!expected) throw error;
    deps.printErrorLine(`facet: ${error.message}${describeCause(error)}`);
    return 1;
  }
}

/** The operator sees what a client may not: why the database cannot be reached. */
function describeCause(error: Error): string {
  if (!(error.cause instanceof Error)) return "";
  const { code } = error.cause as { code?: string };
  const text = error.cause.message || code;
  return text ? ` (${text})` : "";
}
