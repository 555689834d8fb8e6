import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ObjectBody, ObjectInfo, ObjectStore } from "../../src/core/object_store.ts";

/** Registers one test with its own store and a prefix of keys that no other test uses. */
export type RegisterStoreTest = (
  title: string,
  body: (store: ObjectStore, prefix: string) => Promise<void>,
) => void;

/** Text as UTF-8. */
export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Compares megabytes, for which `deepEqual` takes minutes on some versions of Deno. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.ok(Buffer.from(actual.buffer).equals(expected), "the bytes should be the same");
}

/** All bytes of a body. */
export async function readAll(body: ObjectBody): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body.stream as BodyInit).arrayBuffer());
}

/** The object's text. */
export async function readText(store: ObjectStore, key: string): Promise<string> {
  const body = await store.get(key);
  assert.ok(body, `${key} should be there`);
  return new TextDecoder().decode(await readAll(body));
}

/** A whole listing. */
export async function listAll(
  store: ObjectStore,
  prefix: string,
  options?: Parameters<ObjectStore["list"]>[1],
): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const page of store.list(prefix, options)) infos.push(...page);
  return infos;
}
