/** The few path functions that tests need, from the platform. */
export { dirname, join, normalize, relative } from "node:path";
export { fileURLToPath as fromFileUrl } from "node:url";
