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

/** All tags that exiftool sees, as `Group:Tag`. */
export async function readTags(bytes: Uint8Array): Promise<Record<string, unknown>> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeFile(file, bytes);
    const { stdout } = await new Deno.Command("exiftool", {
      args: ["-j", "-a", "-G1", "-U", "-struct", file],
    }).output();
    return JSON.parse(new TextDecoder().decode(stdout))[0];
  } finally {
    await Deno.remove(file);
  }
}

/** The tags that have no place in a variant. An empty list is what tests want. */
export async function findMetadata(bytes: Uint8Array): Promise<string[]> {
  const tags = await readTags(bytes);
  return Object.keys(tags).filter((name) => {
    const [group, tag = ""] = name.split(":");
    if (name === "SourceFile" || PROFILE_GROUPS.test(group)) {
      return tag === "Warning" || tag === "Error";
    }
    return !HARMLESS_GROUPS.has(group) || (group !== "File" && PRIVATE_TAGS.test(tag)) ||
      (group === "File" && /comment|trailer/i.test(tag));
  });
}
