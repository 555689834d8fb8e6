import { StartError } from "./start_error.ts";

/**
 * Makes sure that the data folder exists and can be written to.
 *
 * @throws {StartError} When it cannot.
 */
export async function prepareDataFolder(dataDir: string): Promise<void> {
  // A name of its own, since instances that share a folder start at the same time.
  const probe = `${dataDir}/.writable-${crypto.randomUUID()}`;
  try {
    await Deno.mkdir(dataDir, { recursive: true });
    await Deno.writeTextFile(probe, "");
    await Deno.remove(probe);
  } catch (error) {
    const reason = error instanceof Deno.errors.PermissionDenied ||
        error instanceof Deno.errors.NotCapable
      ? "permission denied"
      : error instanceof Deno.errors.AlreadyExists || error instanceof Deno.errors.NotADirectory
      ? "it is not a folder"
      : (error as Error).message;
    throw new StartError(
      `The data folder ${dataDir} cannot be written to (${reason}); set FACET_DATA_DIR to another one`,
    );
  }
}

/**
 * The admin key of this data folder, for development: made once and kept in `admin-key`, so that a
 * pasted command still works after a restart.
 *
 * @param prefix Marks the key as one that production refuses.
 */
export async function loadDevelopmentKey(dataDir: string, prefix: string): Promise<string> {
  const path = `${dataDir}/admin-key`;
  try {
    const kept = (await Deno.readTextFile(path)).trim();
    if (kept.startsWith(prefix)) return kept;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const random = crypto.getRandomValues(new Uint8Array(18));
  const key = prefix + btoa(String.fromCharCode(...random)).replace(/\+/g, "-").replace(/\//g, "_");
  await Deno.writeTextFile(path, `${key}\n`, { mode: 0o600 });
  return key;
}
