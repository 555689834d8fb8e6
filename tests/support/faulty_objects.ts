import type { ObjectStore } from "../../src/core/object_store.ts";

/** The calls of an object store that can be made to fail. */
export type FaultyCall =
  | "head"
  | "get"
  | "put"
  | "copy"
  | "delete"
  | "createMultipart"
  | "uploadPart"
  | "completeMultipart"
  | "abortMultipart";

/** What happens to a call. `before`: nothing is done; `after`: it is done, and the answer lost. */
export interface Fault {
  readonly when: "before" | "after";
  /** Throws or waits; resolving lets the call go on. */
  act(signal: AbortSignal | undefined): Promise<void> | void;
}

/** A real store whose calls can be made to fail, and which counts them. */
export interface FaultyObjects {
  readonly objects: ObjectStore;
  /** Faults for the coming calls of a kind, one each; null is none. */
  plan(call: FaultyCall, ...faults: (Fault | null)[]): void;
  /** A fault for every call of a kind from now on; null heals it. */
  break(call: FaultyCall, fault: Fault | null): void;
  readonly calls: Readonly<Record<FaultyCall, number>>;
}

/** Wraps a store. */
export function createFaultyObjects(store: ObjectStore): FaultyObjects {
  const planned = new Map<string, (Fault | null)[]>();
  const broken = new Map<string, Fault>();
  const calls: Record<string, number> = {};
  const names: FaultyCall[] = [
    "head",
    "get",
    "put",
    "copy",
    "delete",
    "createMultipart",
    "uploadPart",
    "completeMultipart",
    "abortMultipart",
  ];
  const wrapped: Record<string, unknown> = { ...store };
  for (const name of names) {
    calls[name] = 0;
    // deno-lint-ignore no-explicit-any -- wraps any signature and passes it on
    const original = store[name] as (...args: any[]) => Promise<unknown>;
    // deno-lint-ignore no-explicit-any -- as above
    wrapped[name] = async (...args: any[]) => {
      calls[name]++;
      const fault = planned.get(name)?.shift() ?? broken.get(name) ?? null;
      const signal = args.at(-1)?.signal as AbortSignal | undefined;
      if (fault?.when === "before") await fault.act(signal);
      const result = await original(...args);
      if (fault?.when === "after") await fault.act(signal);
      return result;
    };
  }
  return {
    objects: wrapped as unknown as ObjectStore,
    plan: (call, ...faults) => void planned.set(call, faults),
    break(call, fault) {
      if (fault === null) broken.delete(call);
      else broken.set(call, fault);
    },
    calls: calls as Record<FaultyCall, number>,
  };
}
