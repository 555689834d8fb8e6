/**
 * What runs by the clock. `main.ts` registers it at top level, where Deno Deploy looks for it; the
 * work itself is done by whichever instance gets the call and holds the job's lease.
 *
 * @module
 */

/** Every scheduled job with its cron expression (UTC). */
export const SCHEDULE = {
  "sweep-uploads": "7 * * * *",
  "finish-purges": "* * * * *",
  "make-partitions": "23 2 * * *",
  "reconcile": "41 3 * * *",
  "resume-reconcile": "11 * * * *",
  "archive-unused": "17 4 1 * *",
  "finish-restores": "*/10 * * * *",
  // Daily; the later calls are for a receiver that was away.
  "cost-digest": "12 6-22 * * *",
} as const;

/** The name of a scheduled job. */
export type JobName = keyof typeof SCHEDULE;

/** Does the work of each job. */
export type JobRunner = (name: JobName) => Promise<void>;

/**
 * Registers every job with the runtime's scheduler.
 *
 * @param runner Resolves once the service is up; until then calls wait.
 */
export function registerSchedule(runner: Promise<JobRunner>): void {
  for (const [name, expression] of Object.entries(SCHEDULE)) {
    Deno.cron(name, expression, async () => {
      const run = await runner;
      await run(name as JobName);
    });
  }
}
