/** What an independent tool finds in a file, for proving that metadata does not survive. */

/** Groups that describe the pixels or the file itself, not what somebody wrote into it. */
const HARMLESS_GROUPS = new Set([
  "ExifTool",
  "System",
  "File",
  "Composite",
  "RIFF",
  "PNG",
  "JFIF",
  "Meta",
  "QuickTime",
  "ICC-header",
  "ICC_Profile",
  "ICC-view",
  "ICC-meas",
  "ICC-chrm",
]);

/** Tags of these groups that would carry a message all the same. */
const PRIVATE_TAGS =
  /comment|copyright|artist|author|gps|thumbnail|software|date|xmp|exif|trailer/i;
/** The profile tells its own date and copyright; the file system tells when it was written. */
const PROFILE_GROUPS = /^(ICC|System|ExifTool|Composite)/;

/** Whether `exiftool` is there; prints the reason when it is not. */
export async function hasExiftool(): Promise<boolean> {
  try {
    return (await new Deno.Command("exiftool", { args: ["-ver"] }).output()).success;
  } catch {
    // deno-lint-ignore no-console
    console.log("skipped: exiftool is not installed");
    return false;
  }
}

type Tags = Readonly<Record<string, unknown>>;

/** All tags that exiftool sees in each file, as `Group:Tag`. One process for all: it starts slowly. */
async function readTags(files: readonly Uint8Array[]): Promise<Tags[]> {
  const dir = await Deno.makeTempDir();
  try {
    const names = files.map((_, i) => `${dir}/${i}`);
    await Promise.all(files.map((bytes, i) => Deno.writeFile(names[i], bytes)));
    const { stdout } = await new Deno.Command("exiftool", {
      args: ["-j", "-a", "-G1", "-U", "-struct", ...names],
    }).output();
    const all = JSON.parse(new TextDecoder().decode(stdout)) as Tags[];
    return names.map((name) => all.find((tags) => tags.SourceFile === name) ?? { "File:Lost": 1 });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** The tags that have no place in a variant, by file. Empty lists are what tests want. */
export async function findMetadata(...files: readonly Uint8Array[]): Promise<string[][]> {
  return (await readTags(files)).map((tags) => Object.keys(tags).filter(isMetadata));
}

function isMetadata(name: string): boolean {
  const [group, tag = ""] = name.split(":");
  if (name === "SourceFile" || PROFILE_GROUPS.test(group)) {
    return tag === "Warning" || tag === "Error";
  }
  if (group === "File") return /comment|trailer|lost/i.test(tag);
  return !HARMLESS_GROUPS.has(group) || PRIVATE_TAGS.test(tag);
}
