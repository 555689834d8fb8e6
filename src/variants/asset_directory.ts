import type { ContentHash } from "../core/content_hash.ts";
import { makeRoom } from "../core/make_room.ts";
import { AppError } from "../errors.ts";
import type { AssetLookup, AssetRecord } from "./ports.ts";

/** What an asset directory needs. */
export interface AssetDirectoryOptions {
  readonly lookup: AssetLookup;
  /** Milliseconds from any fixed point. */
  readonly nowMs: () => number;
  /** How long a READY asset is believed without asking again. Default 60 s. */
  readonly positiveTtlMs?: number;
  /** How long it is believed while a fresh answer is fetched beside the request. Default 10 min. */
  readonly staleTtlMs?: number;
  /** How long "unknown" and every passing state is believed. Default 3 s. */
  readonly negativeTtlMs?: number;
  /** Most READY assets held. Default 10,000 (about 5 MB). */
  readonly maxPositive?: number;
  /** Most others held, so that scanners cannot fill the memory. Default 10,000 (about 2 MB). */
  readonly maxNegative?: number;
  /** Most lookups under way at once; more are refused. Default 256. */
  readonly maxConcurrent?: number;
}

/** The catalog as delivery sees it: remembered for a while, asked once at a time. */
export interface AssetDirectory {
  /**
   * What is remembered of an asset, null for an unknown one; undefined when the catalog has to be
   * asked. A READY asset past its time is given once more and refreshed in the background, so that
   * a popular asset never waits for the catalog.
   */
  peek(hash: ContentHash): AssetRecord | null | undefined;
  /**
   * The asset, by at most one query however many ask at once; null when it is unknown. When the
   * catalog cannot be asked, what was last known of a READY asset stands.
   *
   * @throws {AppError} `catalog_unavailable`, also when too many lookups are under way.
   */
  find(hash: ContentHash): Promise<AssetRecord | null>;
  /** Forgets an asset, known or unknown, after every change to it; or all of them (null). */
  forget(hash: ContentHash | null): void;
  /** Calls `listener` whenever a fresh answer differs from the one that was believed. */
  onChange(listener: (hash: ContentHash) => void): void;
}

interface Remembered {
  readonly record: AssetRecord | null;
  readonly atMs: number;
}

/** After a failed background refresh the next one waits this long. */
const REFRESH_PAUSE_MS = 2_000;

/** Creates an asset directory. */
export function createAssetDirectory(options: AssetDirectoryOptions): AssetDirectory {
  const { nowMs, positiveTtlMs = 60_000, staleTtlMs = 600_000, negativeTtlMs = 3_000 } = options;
  const known = createRecordMap(options.maxPositive ?? 10_000);
  const others = createRecordMap(options.maxNegative ?? 10_000);
  const underWay = new Map<string, Promise<AssetRecord | null>>();
  const listeners: ((hash: ContentHash) => void)[] = [];
  let refreshPausedUntilMs = -Infinity;

  function remember(hash: ContentHash, record: AssetRecord | null): void {
    const before = known.get(hash);
    known.delete(hash);
    others.delete(hash);
    (record?.state === "READY" ? known : others).set(hash, { record, atMs: nowMs() });
    if (before && describe(before.record) !== describe(record)) listeners.forEach((l) => l(hash));
  }

  function ask(hash: ContentHash): Promise<AssetRecord | null> {
    const running = underWay.get(hash);
    if (running) return running;
    if (underWay.size >= (options.maxConcurrent ?? 256)) {
      throw new AppError("catalog_unavailable", "Too many catalog lookups are under way", {
        retryAfterSeconds: 1,
      });
    }
    const answer = options.lookup.find(hash).then((record) => {
      // Forgotten meanwhile: the answer may be older than the change that made it be forgotten.
      if (underWay.get(hash) === answer) remember(hash, record);
      return record;
    }).finally(() => {
      if (underWay.get(hash) === answer) underWay.delete(hash);
    });
    underWay.set(hash, answer);
    return answer;
  }

  function refreshBeside(hash: ContentHash): void {
    if (nowMs() < refreshPausedUntilMs || underWay.has(hash)) return;
    if (underWay.size >= (options.maxConcurrent ?? 256)) return;
    ask(hash).catch(() => {
      refreshPausedUntilMs = nowMs() + REFRESH_PAUSE_MS;
    });
  }

  function peek(hash: ContentHash): AssetRecord | null | undefined {
    const ready = known.get(hash);
    if (ready) {
      const ageMs = nowMs() - ready.atMs;
      if (ageMs >= positiveTtlMs && ageMs < staleTtlMs) refreshBeside(hash);
      return ageMs < staleTtlMs ? ready.record : undefined;
    }
    const other = others.get(hash);
    return other && nowMs() - other.atMs < negativeTtlMs ? other.record : undefined;
  }

  return {
    peek,
    async find(hash) {
      const remembered = peek(hash);
      if (remembered !== undefined) return remembered;
      try {
        return await ask(hash);
      } catch (error) {
        const last = known.get(hash);
        if (last && error instanceof AppError && error.code === "catalog_unavailable") {
          return last.record;
        }
        throw error;
      }
    },
    forget(hash) {
      for (const map of [known, others, underWay]) {
        if (hash === null) map.clear();
        else map.delete(hash);
      }
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

/** A map that drops what was put in first when it is full. */
function createRecordMap(capacity: number) {
  const records = new Map<string, Remembered>();
  return {
    get: (hash: string) => records.get(hash),
    delete: (hash: string) => records.delete(hash),
    clear: () => records.clear(),
    set(hash: string, remembered: Remembered) {
      makeRoom(records, capacity);
      records.set(hash, remembered);
    },
  };
}

/** What of a record decides what is served. */
function describe(record: AssetRecord | null): string {
  if (!record) return "";
  const { state, focus, visibility, flagged } = record;
  return JSON.stringify([state, focus?.x, focus?.y, visibility, flagged]);
}
