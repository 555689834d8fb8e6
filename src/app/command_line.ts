/**
 * What `main.ts` can be asked to do. Each command loads only what it needs, so that the service
 * starts fast.
 *
 * @module
 */
import type { Database } from "../adapters/postgres/database.ts";
import { type Config, DEVELOPMENT_KEY_PREFIX, readConfig } from "../config.ts";
import type { EnvSource } from "../env_reader.ts";
import { AppError } from "../errors.ts";
import { formatConfigEntries } from "../cli/config.ts";
import { printErrorLine, printLine, writeAll } from "../cli/terminal.ts";
import { type JobRunner, registerSchedule } from "../jobs/schedule.ts";
import { createLogger } from "../telemetry/logger.ts";
import { readTraceIds } from "../telemetry/tracing.ts";
import { StartError } from "./start_error.ts";

const jobRunner = Promise.withResolvers<JobRunner>();

/** Registers the scheduled jobs; they wait for the service that {@linkcode runCommand} starts. */
export function registerCrons(): void {
  registerSchedule(jobRunner.promise);
}

/** The commands and what they do, for the usage text. */
const COMMANDS = {
  serve: "serve (the default)",
  dev: "serve with everything embedded, for development",
  migrate: "bring the database up to date",
  keys: "add, list and revoke API keys",
  reconcile: "compare the catalog with the bucket",
  lifecycle: "show or set the bucket's rules",
  cost: "what a month costs",
  sign: "print a signed URL",
  config: "print the effective configuration",
} as const;

type Command = keyof typeof COMMANDS;

/** A command: returns the exit code, or undefined to keep the process running. */
type Run = (config: Config, args: readonly string[]) => Promise<number | undefined>;

/**
 * Runs one command.
 *
 * @returns The exit code: 0 done, 1 could not start, 2 wrong usage.
 */
export async function runCommand(
  name: string,
  args: readonly string[],
  env: EnvSource,
): Promise<number | undefined> {
  if (!isCommand(name)) return printUsage(name);
  const result = readConfig(name === "dev" ? withDevelopment(env) : env);
  if (!result.ok) {
    for (const problem of result.problems) printErrorLine(`facet: ${problem}`);
    return 1;
  }
  if (name === "config") {
    printLine(formatConfigEntries(result.entries));
    return 0;
  }
  try {
    return await RUNNERS[name](result.config, args);
  } catch (error) {
    // A catalog or a store that cannot be reached is the operator's to mend, not a bug.
    if (!(error instanceof StartError) && !(error instanceof AppError)) throw error;
    printErrorLine(`facet: ${error.message}`);
    return 1;
  }
}

const RUNNERS: Readonly<Record<Exclude<Command, "config">, Run>> = {
  serve: (config) => runService(config, { development: false }),
  dev: (config) => runService(config, { development: true }),
  migrate: runMigrate,
  keys: runKeys,
  reconcile: runReconcile,
  lifecycle: async (config, args) => {
    const { runLifecycle } = await import("./maintenance.ts");
    return await runLifecycle(config, args);
  },
  cost: runCost,
  sign: runSign,
};

/** The first request, which may have started the instance, goes before the warming of workers. */
const WARM_AFTER_MS = 500;

async function runService(
  given: Config,
  { development }: { development: boolean },
): Promise<number> {
  const { checkPort, serve } = await import("./serve.ts");
  const { loadDevelopmentKey, prepareDataFolder } = await import("./data_folder.ts");
  const usesFolder = given.database.kind === "embedded" || given.storage.kind === "disk";
  checkPort(given.http);
  if (usesFolder) await prepareDataFolder(given.dataDir);
  const config = development && given.adminKey === undefined
    ? { ...given, adminKey: await loadDevelopmentKey(given.dataDir, DEVELOPMENT_KEY_PREFIX) }
    : given;
  const logger = createLogger({
    write: (lines) => writeAll(Deno.stdout, lines),
    level: config.http.logLevel,
    now: () => new Date(),
    ...(config.metricsExporter === "runtime" ? { readTraceIds } : {}),
  });
  const { createApp } = await import("../app.ts");
  const app = await createApp(config, { logger, migrate: config.environment === "development" });
  jobRunner.resolve(app.runJob);
  const { port, hostname, shutdownGraceMs, connections } = config.http;
  const banner = development ? await prepareBanner(config) : undefined;
  await serve(app, {
    port,
    hostname,
    shutdownGraceMs,
    connections,
    onListen(address) {
      if (banner) printLine(banner(address));
      else logger.log("info", "listening", { ...address });
      Deno.unrefTimer(setTimeout(() => void app.warm(), WARM_AFTER_MS));
    },
  });
  logger.flush();
  return 0;
}

async function prepareBanner(config: Config) {
  const { formatDevBanner } = await import("./dev_banner.ts");
  const { writeSamplePicture } = await import("./sample_picture.ts");
  const sample = await writeSamplePicture(config.dataDir);
  return (address: { hostname: string; port: number }) =>
    formatDevBanner({ address, apiKey: config.adminKey ?? "", sample });
}

async function runMigrate(config: Config): Promise<number> {
  const { runMigrateCommand } = await import("../cli/migrate.ts");
  const { migrateDatabase, readMigrations } = await import("../adapters/postgres/migrations.ts");
  return await withDatabase(config, (database) =>
    runMigrateCommand({
      migrate: async () => await migrateDatabase(database, await readMigrations()),
      printLine,
      printErrorLine,
    }));
}

async function runKeys(config: Config, args: readonly string[]): Promise<number> {
  const { runKeysCommand } = await import("../cli/keys.ts");
  const { createKeyCatalog } = await import("../adapters/postgres/key_catalog.ts");
  return await withDatabase(config, (database) =>
    runKeysCommand(args, {
      keys: createKeyCatalog(database),
      printLine,
      printErrorLine,
      now: () => new Date(),
    }));
}

async function runReconcile(config: Config, args: readonly string[]): Promise<number> {
  const { reconcileOnce } = await import("./maintenance.ts");
  return await withDatabase(config, (database) => reconcileOnce(config, { database, args }));
}

async function runCost(config: Config, args: readonly string[]): Promise<number> {
  const { runCostCommand } = await import("../cli/cost.ts");
  const { createCosting } = await import("./costing.ts");
  return await withDatabase(config, (database) => {
    const { report } = createCosting(config, database);
    return runCostCommand(args, { report, printLine, printErrorLine });
  });
}

/** Runs a command on the database. */
async function withDatabase(
  config: Config,
  run: (database: Database) => Promise<number>,
): Promise<number> {
  const { openCatalog } = await import("./catalog.ts");
  if (config.database.kind === "embedded") await prepareFolder(config);
  const catalog = await openCatalog(config.database);
  try {
    return await run(catalog.database);
  } finally {
    await catalog.close();
  }
}

async function runSign({ delivery, variants }: Config, args: readonly string[]): Promise<number> {
  const { runSignCommand } = await import("../cli/sign.ts");
  return runSignCommand(args, {
    keys: delivery.signingKeys,
    presets: delivery.presets,
    formats: variants.formats,
    printLine,
    printErrorLine,
    nowSeconds: () => Date.now() / 1000,
  });
}

async function prepareFolder(config: Config): Promise<void> {
  const { prepareDataFolder } = await import("./data_folder.ts");
  await prepareDataFolder(config.dataDir);
}

/** `dev` never takes a production database for its own, whatever FACET_ENV says. */
function withDevelopment(env: EnvSource): EnvSource {
  return (name) => name === "FACET_ENV" ? "development" : env(name);
}

function isCommand(name: string): name is Command {
  return Object.hasOwn(COMMANDS, name);
}

function printUsage(name: string): number {
  printErrorLine(`facet: there is no command "${name}". Commands:`);
  for (const [command, does] of Object.entries(COMMANDS)) {
    printErrorLine(`  ${command.padEnd(9)} ${does}`);
  }
  return 2;
}
