/** An open file that Deno can lock; `tryLock` came after Deno 2.5. */
interface LockableFile {
  lock(exclusive: boolean): Promise<void>;
  tryLock?(exclusive: boolean): Promise<boolean>;
  close(): void;
}

/** How long to wait for the answer where only a waiting lock exists. */
const WAIT_MS = 300;

/** Another process works on the folder. The message is for the person at the terminal. */
export class DataDirInUseError extends Error {
  override readonly name = "DataDirInUseError";
}

/**
 * Takes the folder `dataDir` for this process, by a lock on the file `<dataDir>.lock` beside it.
 *
 * A lock of the operating system and not the existence of a file: it ends with the process that
 * holds it, however that dies, so that a stale one cannot exist.
 *
 * @throws {DataDirInUseError} when another process has the folder.
 */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  const file: LockableFile = await Deno.open(`${dataDir}.lock`, {
    create: true,
    read: true,
    write: true,
    mode: 0o600,
  });
  if (!await tryLock(file)) {
    if (file.tryLock) file.close();
    throw new DataDirInUseError(
      `The data folder ${dataDir} is in use by another process: stop that one, or choose another ` +
        `folder`,
    );
  }
  return { [Symbol.dispose]: () => file.close() };
}

async function tryLock(file: LockableFile): Promise<boolean> {
  if (file.tryLock) return await file.tryLock(true);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<false>((resolve) => timer = setTimeout(resolve, WAIT_MS, false));
  const locked = file.lock(true).then(() => true as const, () => false as const);
  try {
    return await Promise.race([locked, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
