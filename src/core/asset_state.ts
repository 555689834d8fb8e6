/**
 * The life of a stored asset's bytes, as a state machine.
 *
 * `READY` promises that the object exists with exactly that hash and size; every other state
 * promises less. A transition is one guarded `UPDATE … WHERE state = expected`, so this table is
 * the whole truth about what may follow what.
 *
 * @module
 */

/** A state of the content row. */
export type AssetState =
  | "UPLOADING"
  | "VERIFIED"
  | "READY"
  | "ARCHIVED"
  | "MISSING"
  | "FAILED"
  | "DELETED";

/** Which states may follow which. Re-uploading the bytes reopens FAILED, DELETED and MISSING. */
export const TRANSITIONS: Readonly<Record<AssetState, readonly AssetState[]>> = {
  UPLOADING: ["VERIFIED", "FAILED"],
  VERIFIED: ["READY", "FAILED"],
  READY: ["ARCHIVED", "MISSING", "DELETED"],
  ARCHIVED: ["READY", "MISSING", "DELETED"],
  MISSING: ["READY", "ARCHIVED", "DELETED", "UPLOADING"],
  FAILED: ["UPLOADING", "DELETED"],
  DELETED: ["UPLOADING"],
};

/** Every state, in the order of a normal life. */
export const ASSET_STATES = Object.keys(TRANSITIONS) as readonly AssetState[];

/** Whether `text` names a state. */
export function isAssetState(text: string): text is AssetState {
  return Object.hasOwn(TRANSITIONS, text);
}

/** Whether the machine allows `from → to`. */
export function canTransition(from: AssetState, to: AssetState): boolean {
  return TRANSITIONS[from].includes(to);
}
