/** Parameters of libpq, Prisma and poolers that the driver would pass on and the server refuse. */
const FOREIGN_PARAMETERS = [
  "channel_binding",
  "connect_timeout",
  "connection_limit",
  "gssencmode",
  "pgbouncer",
  "pool_timeout",
  "schema",
];

/**
 * Prepares a `postgres://` URL as hosting services hand it out: parameters that address another
 * client are dropped, because the driver sends every one it does not know to the server.
 */
export function normalizePostgresUrl(url: string): string {
  const [base, query] = url.split("?", 2);
  if (!query) return base;
  const parameters = new URLSearchParams(query);
  for (const name of FOREIGN_PARAMETERS) parameters.delete(name);
  const kept = parameters.toString();
  return kept ? `${base}?${kept}` : base;
}
