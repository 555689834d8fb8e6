/** A real S3 gateway to test against. */
export interface TestS3 {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
  /** Whether `STANDARD_IA` and `GLACIER` exist there (Ceph has only what its zone defines). */
  readonly hasStorageClasses: boolean;
}

/**
 * The gateway named by `TEST_S3_ENDPOINT`, `TEST_S3_ACCESS_KEY_ID`, `TEST_S3_SECRET_ACCESS_KEY` and
 * optionally `TEST_S3_REGION` (us-east-1), `TEST_S3_BUCKET` (facet-test) and
 * `TEST_S3_STORAGE_CLASSES` (1 where the gateway has them); or null, having printed why tests are
 * skipped.
 *
 * @throws {Error} When there is none although `CI_REQUIRE_S3=1` says that there must be.
 */
export function findTestS3(): TestS3 | null {
  const endpoint = Deno.env.get("TEST_S3_ENDPOINT");
  const accessKeyId = Deno.env.get("TEST_S3_ACCESS_KEY_ID");
  const secretAccessKey = Deno.env.get("TEST_S3_SECRET_ACCESS_KEY");
  if (endpoint && accessKeyId && secretAccessKey) {
    return {
      endpoint,
      region: Deno.env.get("TEST_S3_REGION") ?? "us-east-1",
      accessKeyId,
      secretAccessKey,
      bucket: Deno.env.get("TEST_S3_BUCKET") ?? "facet-test",
      hasStorageClasses: Deno.env.get("TEST_S3_STORAGE_CLASSES") === "1",
    };
  }
  const reason =
    "TEST_S3_ENDPOINT, TEST_S3_ACCESS_KEY_ID and TEST_S3_SECRET_ACCESS_KEY are not set";
  if (Deno.env.get("CI_REQUIRE_S3") === "1") {
    throw new Error(`An S3 gateway is required: ${reason}`);
  }
  // deno-lint-ignore no-console -- a skipped suite has to say why
  console.log(`Skipped: tests on a real S3 gateway (${reason})`);
  return null;
}
