/**
 * The import rules of the source tree, as tests. Read the two tables to learn the architecture.
 */
import assert from "node:assert/strict";
import { dirname, fromFileUrl, join, normalize, relative } from "./support/paths.ts";

/** What each layer may import at run time, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ["app", "config", "cli", "jobs", "errors", "telemetry"],
  app: [
    "config",
    "http",
    "jobs",
    "cli",
    "adapters",
    "feature",
    "image",
    "core",
    "telemetry",
    "errors",
  ],
  http: ["feature", "core", "telemetry", "errors"],
  jobs: ["feature", "core", "telemetry", "errors"],
  cli: ["config", "feature", "core", "telemetry", "errors"],
  adapters: ["image", "core", "telemetry", "errors"],
  feature: ["image", "core", "errors"],
  image: ["core", "errors"],
  telemetry: ["core", "errors"],
  core: ["errors"],
  config: ["core", "errors"],
  errors: [],
};

/** What may be imported as types only: an adapter sees the port that it implements. */
const MAY_IMPORT_TYPES: Readonly<Record<string, readonly string[]>> = {
  adapters: ["feature", "http"],
  feature: ["telemetry"],
};

const FEATURES = [
  "uploads",
  "variants",
  "assets",
  "reconcile",
  "costs",
  "purge",
  "lifecycle",
  "keys",
];

/** Adapters that may use other adapters: a render worker runs the codecs. */
const ADAPTER_FRIENDS: Readonly<Record<string, readonly string[]>> = {
  workers: ["codecs"],
};

const MAX_LINES = 300;
const REASON = "Longer than 300 lines because";

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly { readonly specifier: string; readonly typeOnly: boolean }[];
}

const root = normalize(join(dirname(fromFileUrl(import.meta.url)), ".."));
const files = readSources();
const byPath = new Map(files.map((file) => [file.path, file]));

Deno.test("the source tree imports only downwards", () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const { specifier, typeOnly } of file.imports) {
      if (!specifier.startsWith(".")) continue;
      const target = resolve(file.path, specifier);
      if (!isAllowed(file.path, target, typeOnly)) wrong.push(`${file.path} → ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the source tree has no import cycles at run time", () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  function visit(path: string, trail: readonly string[]): void {
    const at = trail.indexOf(path);
    if (at >= 0) return void cycles.push([...trail.slice(at), path].join(" → "));
    if (done.has(path)) return;
    for (const { specifier, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (!typeOnly && specifier.startsWith(".")) {
        visit(resolve(path, specifier), [...trail, path]);
      }
    }
    done.add(path);
  }
  for (const file of files) visit(file.path, []);
  assert.deepEqual(cycles, []);
});

Deno.test("each vendor package is imported in one folder only", () => {
  const folders = new Map<string, Set<string>>();
  for (const file of files) {
    for (const { specifier } of file.imports) {
      if (/^(\.|node:)/.test(specifier)) continue;
      const vendor = specifier.replace(/^npm:/, "").split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
      const folder = file.path.split("/").slice(0, file.path.includes("/adapters/") ? 3 : 2);
      folders.set(vendor, (folders.get(vendor) ?? new Set()).add(folder.join("/")));
    }
  }
  const spread = [...folders].filter(([, where]) => where.size > 1)
    .map(([vendor, where]) => `${vendor}: ${[...where].join(", ")}`);
  assert.deepEqual(spread, []);
});

Deno.test("imports come from npm, node and this repository only", () => {
  const mapped = Object.values(readImportMap());
  const foreign = [
    ...mapped,
    ...files.flatMap((file) => file.imports.map((each) => each.specifier)),
  ]
    .filter((specifier) => /^(https?:|jsr:)/.test(specifier));
  assert.deepEqual(foreign, []);
});

Deno.test("only the entry point and the configuration see the environment", () => {
  const readers = files.filter((file) =>
    /Deno\.env\b|process\.env\b/.test(withoutComments(file.text)) &&
    !["main.ts", "src/config.ts"].includes(file.path)
  );
  assert.deepEqual(readers.map((file) => file.path), []);
});

Deno.test("importing a module opens nothing", () => {
  const awaiting = files.filter((file) =>
    file.path !== "main.ts" && !file.path.endsWith("_worker.ts") &&
    /^(?:const .*= )?await /m.test(file.text)
  );
  assert.deepEqual(awaiting.map((file) => file.path), []);
});

Deno.test("files are small, or say why they are not", () => {
  const long = files.filter((file) =>
    file.text.split("\n").length > MAX_LINES && !file.text.includes(REASON)
  );
  assert.deepEqual(long.map((file) => `${file.path}: ${file.text.split("\n").length} lines`), []);
});

Deno.test("there are no drawers for everything, and no barrels", () => {
  const drawers = files.filter((file) =>
    /(^|\/)(utils?|helpers?|types|index|mod|common)\.ts$/.test(file.path)
  );
  assert.deepEqual(drawers.map((file) => file.path), []);
});

function isAllowed(from: string, to: string, typeOnly: boolean): boolean {
  const [a, b] = [layerOf(from), layerOf(to)];
  if (a === b && a === "adapters") {
    const [x, y] = [from.split("/")[2], to.split("/")[2]];
    return x === y || (ADAPTER_FRIENDS[x] ?? []).includes(y) || typeOnly;
  }
  if (a === b && a === "feature") return from.split("/")[1] === to.split("/")[1];
  if (a === b) return true;
  return MAY_IMPORT[a].includes(b) || (typeOnly && (MAY_IMPORT_TYPES[a] ?? []).includes(b));
}

function layerOf(path: string): string {
  if (path === "main.ts") return "main";
  const [, top] = path.split("/");
  if (top === "app.ts" || top === "app") return "app";
  if (top === "env_reader.ts" || /^([a-z]+_)?config\.ts$/.test(top)) {
    return "config";
  }
  if (top === "errors.ts") return "errors";
  if (FEATURES.includes(top)) return "feature";
  assert.ok(top in MAY_IMPORT, `${path} is in no known layer`);
  return top;
}

function resolve(from: string, specifier: string): string {
  return normalize(join(dirname(from), specifier));
}

function readImportMap(): Record<string, string> {
  return JSON.parse(Deno.readTextFileSync(join(root, "deno.json"))).imports;
}

function readSources(): SourceFile[] {
  const paths = [join(root, "main.ts"), ...walk(join(root, "src"))];
  return paths.filter((path) => path.endsWith(".ts")).map((path) => {
    const text = Deno.readTextFileSync(path);
    return { path: relative(root, path), text, imports: parseImports(text) };
  });
}

function* walk(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* walk(path);
    else yield path;
  }
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

function parseImports(text: string): SourceFile["imports"] {
  const code = withoutComments(text);
  const statements = code.matchAll(
    /^\s*(?:import|export)\s+(type\s)?([^"';]*?from\s+)?"([^"]+)"/gm,
  );
  const dynamic = code.matchAll(/\bimport\(\s*"([^"]+)"\s*,?\s*\)/g);
  return [
    ...[...statements].map((match) => ({
      specifier: match[3],
      typeOnly: match[1] !== undefined || onlyNamesTypes(match[2] ?? ""),
    })),
    ...[...dynamic].map((match) => ({
      specifier: match[1],
      typeOnly: isTypePosition(code, match.index),
    })),
  ];
}

/** `{ type A, type B }` imports nothing at run time. */
function onlyNamesTypes(clause: string): boolean {
  const names = /^\{([\s\S]*)\}\s*from/.exec(clause.trim())?.[1].split(",")
    .map((name) => name.trim()).filter((name) => name !== "");
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type "));
}

/** `typeof import("x")` and `: import("x")` are erased. */
function isTypePosition(code: string, index: number): boolean {
  return /(typeof|:)\s*$/.test(code.slice(Math.max(0, index - 10), index));
}
