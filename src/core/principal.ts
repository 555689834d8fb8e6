/** What a key may do. `admin` implies the other two. */
export type Scope = "upload" | "read" | "admin";

/** Every scope, for parsing and help texts. */
export const SCOPES: readonly Scope[] = ["upload", "read", "admin"];

/** Whether `text` names a scope. */
export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}

/** The authenticated caller of the API. */
export interface Principal {
  /** Whose references the caller sees and makes. Never empty. */
  readonly tenant: string;
  /** Identifies the key in logs and limits; not the key itself. */
  readonly keyId: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Bytes this key may upload per UTC day; null = no limit. */
  readonly bytesPerDay: number | null;
  /** Uploads this key may have under way at once; null = the service's default. */
  readonly concurrentUploads: number | null;
}

/** Whether the principal holds `scope`, directly or through `admin`. */
export function hasScope(principal: Principal, scope: Scope): boolean {
  return principal.scopes.has(scope) || principal.scopes.has("admin");
}
