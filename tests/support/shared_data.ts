/**
 * Files that lie beside the repository and are not part of it. Tests that need them skip, with a
 * printed reason, where they are absent.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, fromFileUrl, join } from "./paths.ts";

const SHARED_DIR = Deno.env.get("FACET_SHARED_DIR") ??
  join(dirname(fromFileUrl(import.meta.url)), "..", "..", "..", "shared");

/** The folder with the test images, or null (and a printed reason) where there is none. */
export function sharedDataDir(): string | null {
  const dir = join(SHARED_DIR, "data");
  if (existsSync(join(dir, "manifest.tsv"))) return dir;
  // deno-lint-ignore no-console
  console.log(`skipped: no test images in ${dir} (set FACET_SHARED_DIR)`);
  return null;
}

/** One row of the manifest. Numbers are null where Pillow could not open the file. */
export interface SharedFile {
  readonly path: string;
  readonly category: string;
  readonly sizeBytes: number;
  readonly pillowFormat: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly mode: string;
  readonly frames: number | null;
  readonly exifOrientation: string;
  readonly iccName: string;
  readonly detail: string;
  readonly pillowVerdict: string;
}

/** Reads the manifest. */
export function readManifest(dir: string): SharedFile[] {
  const [, ...rows] = readFileSync(join(dir, "manifest.tsv"), "utf8").trimEnd().split("\n");
  const number = (text: string) => text === "" ? null : Number(text);
  return rows.map((row) => {
    const cell = row.split("\t");
    return {
      path: cell[0],
      category: cell[1],
      sizeBytes: Number(cell[2]),
      pillowFormat: cell[5],
      width: number(cell[6]),
      height: number(cell[7]),
      mode: cell[8],
      frames: number(cell[9]),
      exifOrientation: cell[10],
      iccName: cell[12],
      detail: cell[13],
      pillowVerdict: cell[14],
    };
  });
}
