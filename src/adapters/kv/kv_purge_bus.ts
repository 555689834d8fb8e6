import { isContentHash } from "../../core/content_hash.ts";
import type { DeliveryObserver, PurgeBus } from "../../variants/ports.ts";
import { PURGE_LOG_KEY } from "./kv_keys.ts";

/** Purges that the log holds: at 64 hex digits each, well within one value. */
const LOG_LENGTH = 256;
/** Tries to append while others do. */
const MAX_TRIES = 20;

/** What a purge bus over Deno KV needs. */
export interface KvPurgeBusOptions {
  readonly kv: Deno.Kv;
  readonly observer?: DeliveryObserver | undefined;
  /** How often the log is read besides being watched. Default 1 s. */
  readonly pollMs?: number;
}

/** The latest purges. `nextSequence` counts all there were since the log was begun. */
interface PurgeLog {
  /** Tells this log from one that was lost with its store. */
  readonly id: string;
  readonly nextSequence: number;
  /** The last ones, oldest first. */
  readonly hashes: readonly string[];
}

/**
 * Tells instances of purges through one log in Deno KV.
 *
 * `kv.watch` wakes the listeners; the log is read every `pollMs` as well, since a local file tells
 * no other process of a change and a watch may break. A listener that comes late finds what it has
 * missed in the log; one that missed more than the log holds is told so.
 */
export function createKvPurgeBus(options: KvPurgeBusOptions): PurgeBus {
  const { kv, observer, pollMs = 1_000 } = options;

  return {
    async publish(hash) {
      for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
        const entry = await kv.get<PurgeLog>(PURGE_LOG_KEY);
        const log = entry.value ?? { id: crypto.randomUUID(), nextSequence: 0, hashes: [] };
        const next: PurgeLog = {
          id: log.id,
          nextSequence: log.nextSequence + 1,
          hashes: [...log.hashes, hash].slice(-LOG_LENGTH),
        };
        const { ok } = await kv.atomic().check(entry).set(PURGE_LOG_KEY, next).commit();
        if (ok) return;
      }
      throw new Error("Cannot publish a purge: too many writers at once");
    },
    subscribe(listener) {
      let seen: { readonly id: string; readonly sequence: number } | null = null;
      let ended = false;

      function take(log: PurgeLog | null): void {
        const { id, nextSequence, hashes } = log ?? { id: "", nextSequence: 0, hashes: [] };
        const last = seen;
        // The watch and the poll overtake each other: what is older than what was seen is no news.
        if (last?.id === id && nextSequence <= last.sequence) return;
        seen = { id, sequence: nextSequence };
        // Nothing was cached before the first look.
        if (last === null) return;
        // An empty id is that of a log not begun yet: the first entry of a new one follows on it.
        const missed = nextSequence - (last.id === id ? last.sequence : 0);
        if ((last.id !== id && last.id !== "") || missed > hashes.length) return listener(null);
        for (const hash of hashes.slice(-missed)) if (isContentHash(hash)) listener(hash);
      }

      async function read(): Promise<void> {
        try {
          take((await kv.get<PurgeLog>(PURGE_LOG_KEY)).value);
        } catch {
          if (!ended) observer?.cacheFailed("watch", "error");
        }
      }

      const stream = kv.watch<[PurgeLog]>([PURGE_LOG_KEY]).getReader();
      const watching = (async () => {
        try {
          for (let next = await stream.read(); !next.done; next = await stream.read()) {
            take(next.value[0].value);
          }
        } catch {
          // The poll goes on alone.
          if (!ended) observer?.cacheFailed("watch", "error");
        }
      })();
      const timer = setInterval(read, pollMs);
      return {
        async [Symbol.asyncDispose]() {
          ended = true;
          clearInterval(timer);
          await stream.cancel().catch(() => {});
          await watching;
        },
      };
    },
  };
}
