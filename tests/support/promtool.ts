/** Prometheus' own checker, where it is installed. */

/** What promtool said. */
export interface PromtoolResult {
  readonly code: number;
  /** What it printed on both streams. */
  readonly output: string;
}

/** Whether promtool is there; prints why tests are skipped when it is not. */
export async function hasPromtool(): Promise<boolean> {
  try {
    await new Deno.Command("promtool", { args: ["--version"], stdout: "null", stderr: "null" })
      .output();
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // deno-lint-ignore no-console -- a skipped test has to say why
    console.log("Skipped: promtool is not installed (Debian: apt-get install prometheus)");
    return false;
  }
}

/** Runs promtool with `input` on its standard input. */
export async function runPromtool(
  args: readonly string[],
  input = "",
): Promise<PromtoolResult> {
  const child = new Deno.Command("promtool", {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}
