/**
 * The entry point, in development, in production and on Deno Deploy.
 *
 *     deno run -A main.ts [serve | dev | migrate | config | keys | …]
 *
 * @module
 */
import { registerCrons, runCommand } from "./src/app/command_line.ts";

const [command = "serve", ...args] = Deno.args;

// Deno Deploy finds scheduled jobs by evaluating this module, so they are registered at top level.
if (command === "serve" || command === "dev") registerCrons();

const exitCode = await runCommand(command, args, (name) => Deno.env.get(name));
if (exitCode !== undefined) Deno.exit(exitCode);
