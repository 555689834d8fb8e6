/**
 * As much of a remote Deno KV as the service needs, in memory: version 2 of the KV Connect protocol
 * (denoland/denokv, proto/kv-connect.md and proto/schema/datapath.proto) without queues, sums and
 * watching. What Deno's client sends and understands is the real thing.
 */

/** A running server. */
export interface TinyKv extends AsyncDisposable {
  readonly port: number;
  /** How many entries it holds. */
  readonly size: number;
}

interface Entry {
  readonly value: Uint8Array;
  readonly encoding: number;
  readonly versionstamp: Uint8Array;
}

/** Fields of a protobuf message, in order: number, and a varint or what has a length. */
type Message = readonly (readonly [field: number, value: number | Uint8Array])[];

const [SUCCESS, CHECK_FAILURE] = [1, 2];
const [SET, DELETE] = [1, 2];

/** Starts a server on a free port of the loopback. */
export function startTinyKv(): TinyKv {
  /** By key, one character per byte, so that strings sort as keys do. */
  const entries = new Map<string, Entry>();
  let commits = 0;

  function readRange(range: Message): Uint8Array {
    const [from, to] = [toKey(bytesAt(range, 1)), toKey(bytesAt(range, 2))];
    const found = [...entries].filter(([key]) => key >= from && key < to)
      .toSorted(([a], [b]) => a < b ? -1 : 1);
    if (numberAt(range, 4) === 1) found.reverse();
    const values = found.slice(0, numberAt(range, 3)).map(([key, entry]) =>
      encode([
        [1, fromKey(key)],
        [2, entry.value],
        [3, entry.encoding],
        [4, entry.versionstamp],
      ])
    );
    return encode(values.map((value) => [1, value]));
  }

  function readSnapshot(request: Message): Uint8Array {
    const ranges = allAt(request, 1).map((range) => readRange(decode(range)));
    return encode([...ranges.map((range) => [1, range] as const), [4, 1], [8, SUCCESS]]);
  }

  function write(request: Message): Uint8Array {
    const holds = allAt(request, 1).map(decode).every((check) =>
      toKey(entries.get(toKey(bytesAt(check, 1)))?.versionstamp ?? new Uint8Array()) ===
        toKey(bytesAt(check, 2))
    );
    if (!holds) return encode([[1, CHECK_FAILURE]]);
    const versionstamp = new Uint8Array(10);
    new DataView(versionstamp.buffer).setUint32(4, ++commits);
    for (const mutation of allAt(request, 2).map(decode)) {
      const key = toKey(bytesAt(mutation, 1));
      const kind = numberAt(mutation, 3);
      if (kind === DELETE) entries.delete(key);
      if (kind !== SET) continue;
      const value = decode(bytesAt(mutation, 2));
      entries.set(key, { value: bytesAt(value, 1), encoding: numberAt(value, 2), versionstamp });
    }
    return encode([[1, SUCCESS], [2, versionstamp]]);
  }

  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/") return Response.json(describeDatabase());
      const message = decode(await request.bytes());
      const answers: Record<string, (message: Message) => Uint8Array> = {
        "/data/snapshot_read": readSnapshot,
        "/data/atomic_write": write,
      };
      const answer = answers[pathname]?.(message) as Uint8Array<ArrayBuffer> | undefined;
      if (!answer) return new Response("There is nothing at this path", { status: 404 });
      return new Response(answer, { headers: { "content-type": "application/x-protobuf" } });
    },
  );
  return {
    port: server.addr.port,
    get size() {
      return entries.size;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function describeDatabase() {
  return {
    version: 2,
    databaseId: "7f8dd2a5-3d0e-4a36-9f9c-4f6d0f6f3b1c",
    endpoints: [{ url: "/data", consistency: "strong" }],
    token: "data-token",
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  };
}

function decode(bytes: Uint8Array): Message {
  const fields: [number, number | Uint8Array][] = [];
  let at = 0;
  // Doubles are exact enough: expiries are the largest numbers here.
  const varint = () => {
    for (let value = 0, scale = 1;; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = varint();
    if ((tag & 7) === 0) {
      fields.push([tag >> 3, number]);
    } else {
      fields.push([tag >> 3, bytes.slice(at, at + number)]);
      at += number;
    }
  }
  return fields;
}

function encode(fields: Message): Uint8Array {
  const bytes: number[] = [];
  const varint = (value: number) => {
    for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
    bytes.push(value);
  };
  for (const [field, value] of fields) {
    varint(field * 8 + (typeof value === "number" ? 0 : 2));
    varint(typeof value === "number" ? value : value.length);
    if (typeof value !== "number") { for (const byte of value) bytes.push(byte); }
  }
  return new Uint8Array(bytes);
}

function allAt(message: Message, field: number): Uint8Array[] {
  return message.filter(([each]) => each === field).map(([, value]) => value as Uint8Array);
}

function bytesAt(message: Message, field: number): Uint8Array {
  return allAt(message, field)[0] ?? new Uint8Array();
}

function numberAt(message: Message, field: number): number {
  return message.find(([each]) => each === field)?.[1] as number | undefined ?? 0;
}

function toKey(bytes: Uint8Array): string {
  let key = "";
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}

function fromKey(key: string): Uint8Array {
  return Uint8Array.from(key, (char) => char.charCodeAt(0));
}
