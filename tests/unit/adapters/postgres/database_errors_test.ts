import assert from "node:assert/strict";
import {
  isConnectionLost,
  isUniqueViolation,
  toCatalogError,
} from "../../../../src/adapters/postgres/database_errors.ts";
import { AppError } from "../../../../src/errors.ts";

const withCode = (code: string) => Object.assign(new Error("secret text"), { code });

for (
  const [code, expected] of [
    ["57P01", "catalog_unavailable"],
    ["57P03", "catalog_unavailable"],
    ["08006", "catalog_unavailable"],
    ["08P01", "catalog_unavailable"], // PgBouncer: the server is not there
    ["53300", "catalog_unavailable"],
    ["53100", "catalog_unavailable"],
    ["28P01", "catalog_unavailable"],
    ["3D000", "catalog_unavailable"],
    ["25006", "catalog_unavailable"],
    ["57014", "catalog_unavailable"],
    ["40001", "catalog_unavailable"],
    ["40P01", "catalog_unavailable"],
    ["55P03", "catalog_unavailable"],
    ["ECONNREFUSED", "catalog_unavailable"],
    ["ENOTFOUND", "catalog_unavailable"],
    ["CONNECT_TIMEOUT", "catalog_unavailable"],
    ["CONNECTION_CLOSED", "catalog_unavailable"],
    ["42P01", "catalog_unavailable"], // no migration has run
    ["22021", "invalid_request"],
    ["22P05", "invalid_request"],
  ] as const
) {
  Deno.test(`toCatalogError() maps ${code} to ${expected}, and hides its text`, () => {
    const error = toCatalogError(withCode(code));
    assert.ok(error instanceof AppError);
    assert.equal(error.code, expected);
    assert.ok(!error.message.includes("secret"));
    if (expected === "catalog_unavailable") assert.ok(error.retryAfterSeconds! > 0);
  });
}

Deno.test("toCatalogError() leaves bugs and constraint violations as they are", () => {
  for (const code of ["23505", "42601", "22P02", "XX000", ""]) {
    const error = withCode(code);
    assert.equal(toCatalogError(error), error);
  }
  const ours = new AppError("state_conflict", "No");
  assert.equal(toCatalogError(ours), ours);
  assert.equal(toCatalogError("text"), "text");
});

Deno.test("isConnectionLost() sees through the errors of several addresses", () => {
  assert.ok(isConnectionLost(new AggregateError([withCode("ECONNREFUSED")])));
  assert.ok(!isConnectionLost(new AggregateError([withCode("23505")])));
  assert.ok(!isConnectionLost(new AppError("catalog_unavailable", "No")));
});

Deno.test("isUniqueViolation() compares the constraint where one is named", () => {
  const error = Object.assign(withCode("23505"), { constraint_name: "a_pkey" });
  assert.ok(isUniqueViolation(error));
  assert.ok(isUniqueViolation(error, "a_pkey"));
  assert.ok(!isUniqueViolation(error, "b_pkey"));
  assert.ok(!isUniqueViolation(withCode("23503")));
});
