/**
 * A memory limit by the kernel: a control group below our own, for the processes that are measured.
 * Who needs more than the limit is killed, so that a peak is no matter of sampling.
 *
 * Works as root, where the groups are writable; version 1 and, where our own group is the root or
 * holds no other process, version 2. `ulimit` is no substitute: it limits address space, of which
 * V8 reserves tens of gigabytes that it never touches.
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";

const MOUNT = "/sys/fs/cgroup";

/** A control group with a limit. */
export interface MemoryCgroup {
  /** Runs `spawn` with this process inside: what it spawns stays there, this process does not. */
  spawnInside<Child>(spawn: () => Child): Child;
  /** The most memory that the group has held, page cache included. Bytes. */
  peakBytes(): number;
  /** Processes that were killed for want of memory. */
  kills(): number;
  /** Removes the group; everything in it must have ended. */
  close(): Promise<void>;
}

interface Layout {
  readonly own: string;
  readonly limit: string;
  readonly peak: string;
  readonly events: string;
}

/** Makes a group; null, with the reason printed, where that is not possible. */
export function openMemoryCgroup(limitBytes: number): MemoryCgroup | null {
  const layout = findLayout();
  if (layout === null) return giveUp("no memory controller");
  const { own } = layout;
  const group = `${own}/facet-bench-${crypto.randomUUID()}`;
  try {
    if (layout.limit === "memory.max") writeFileSync(`${own}/cgroup.subtree_control`, "+memory");
    mkdirSync(group);
    writeFileSync(`${group}/${layout.limit}`, String(limitBytes));
  } catch (error) {
    return giveUp(String(error));
  }
  const moveTo = (folder: string) => writeFileSync(`${folder}/cgroup.procs`, String(Deno.pid));
  return {
    spawnInside(spawn) {
      moveTo(group);
      try {
        return spawn();
      } finally {
        moveTo(own);
      }
    },
    peakBytes: () => Number(readFileSync(`${group}/${layout.peak}`, "utf8")),
    kills: () =>
      Number(/^oom_kill (\d+)/m.exec(readFileSync(`${group}/${layout.events}`, "utf8"))?.[1]),
    async close() {
      // The kernel lets go of a process a moment after its end was told.
      for (let attempt = 0;; attempt++) {
        try {
          return rmdirSync(group);
        } catch (error) {
          if (attempt === 50) throw error;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    },
  };
}

function findLayout(): Layout | null {
  const lines = read("/proc/self/cgroup").split("\n");
  const first = lines.find((line) => line.split(":")[1]?.split(",").includes("memory"));
  if (first !== undefined) {
    return {
      own: `${MOUNT}/memory${first.split(":")[2].replace(/^\/$/, "")}`,
      limit: "memory.limit_in_bytes",
      peak: "memory.max_usage_in_bytes",
      events: "memory.oom_control",
    };
  }
  const second = lines.find((line) => line.startsWith("0::"));
  if (!read(`${MOUNT}/cgroup.controllers`).includes("memory") || second === undefined) return null;
  return {
    own: `${MOUNT}${second.slice(3).replace(/^\/$/, "")}`,
    limit: "memory.max",
    peak: "memory.peak",
    events: "memory.events",
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function giveUp(reason: string): null {
  // deno-lint-ignore no-console -- a benchmark prints
  console.log(`no control group (${reason}): the kernel enforces no limit`);
  return null;
}
