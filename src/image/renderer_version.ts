/**
 * Names what the renderer's pixels and bytes depend on. Part of every cache key and entity tag: an
 * upgrade that changes the output of any variant must change it, so that old pixels are never
 * served under a new name. Letters, digits, `.`, `_` and `-` only.
 */
export const RENDERER_VERSION = "3";
