import { createHash } from "node:crypto";
import type { ObjectReader } from "../core/object_store.ts";

/** Reads an object in bounded memory and returns its SHA-256 as hex; null when it is absent. */
export async function hashObject(
  objects: Pick<ObjectReader, "get">,
  key: string,
  signal: AbortSignal,
): Promise<string | null> {
  const body = await objects.get(key, { signal });
  if (body === null) return null;
  const digest = createHash("sha256");
  for await (const chunk of body.stream) digest.update(chunk);
  return digest.digest("hex");
}
