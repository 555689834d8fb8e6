const encoder = new TextEncoder();

/** Writes one line to standard output. */
export function printLine(text = ""): void {
  writeAll(Deno.stdout, `${text}\n`);
}

/** Writes one line to standard error. */
export function printErrorLine(text: string): void {
  writeAll(Deno.stderr, `${text}\n`);
}

/** Writes text to a stream as a whole; a pipe takes only part of it at a time. */
export function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = encoder.encode(text);
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}
