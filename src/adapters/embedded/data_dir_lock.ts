/** An open file that Deno can lock; `tryLock` came after Deno 2.5. */
interface LockableFile {
  lock(exclusive: boolean): Promise<void>;
  tryLock?(exclusive: boolean): Promise<boolean>;
  close(): void;
}

/** How long to wait for the answer where only a waiting lock exists. */
const WAIT_MS = 300;

/** The embedded Postgres cannot use its folder. The message is for the person at the terminal. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
}

/**
 * Takes the folder `dataDir` for this process, by a lock on the file `<dataDir>.lock` beside it.
 *
 * A lock of the operating system and not the existence of a file: it ends with the process that
 * holds it, however that dies, so that a stale one cannot exist.
 *
 * @throws {EmbeddedPostgresError} when another process has the folder.
 */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  const file: LockableFile = await Deno.open(`${dataDir}.lock`, {
    create: true,
    read: true,
    write: true,
    mode: 0o600,
  });
  if (!await tryLock(file)) {
    throw new EmbeddedPostgresError(
      `The data folder ${dataDir} is in use by another process: stop that one, or choose another ` +
        `folder`,
    );
  }
  return { [Symbol.dispose]: () => file.close() };
}

/** Closes the file when the lock is taken. */
async function tryLock(file: LockableFile): Promise<boolean> {
  if (file.tryLock) {
    const locked = await file.tryLock(true);
    if (!locked) file.close();
    return locked;
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<false>((resolve) => timer = setTimeout(resolve, WAIT_MS, false));
  const waiting = file.lock(true).then(() => true);
  const locked = await Promise.race([waiting, timeout]);
  clearTimeout(timer);
  // The wait cannot be called off: what it gets in the end is given back.
  if (!locked) waiting.then(() => file.close(), () => file.close());
  return locked;
}
