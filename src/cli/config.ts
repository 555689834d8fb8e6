import type { EnvEntry } from "../env_reader.ts";

/** Formats the effective configuration for `deno task config`: one variable a line, secrets masked. */
export function formatConfigEntries(entries: readonly EnvEntry[]): string {
  const width = Math.max(...entries.map((entry) => entry.name.length));
  return entries.map(({ name, value, origin }) => {
    const shown = value === "" ? "(not set)" : value;
    return `${name.padEnd(width)}  ${shown}${origin === "set" ? "" : "  (default)"}`;
  }).join("\n");
}
