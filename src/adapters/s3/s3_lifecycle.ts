import type { LifecycleRule as SdkLifecycleRule, TransitionStorageClass } from "@aws-sdk/client-s3";
import type { BucketLifecycle, LifecycleRule } from "../../core/storage_class.ts";
import type { S3Context } from "./s3_context.ts";
import { hasS3Code, hasS3Status } from "./s3_errors.ts";
import { useContentMd5 } from "./s3_remover.ts";
import { parseStorageClass, type StorageClassNames } from "./s3_storage_class.ts";

/** The bucket's lifecycle rules, in the dialect that AWS, R2 and Ceph share. */
export function createS3Lifecycle(context: S3Context): BucketLifecycle {
  const { connection, storageClasses } = context;
  return {
    async getLifecycle(options = {}) {
      try {
        const output = await connection.call(
          options,
          ({ client, sdk, bucket, send }) =>
            client.send(new sdk.GetBucketLifecycleConfigurationCommand({ Bucket: bucket }), send),
        );
        return (output.Rules ?? []).map((rule) => parseLifecycleRule(rule, storageClasses));
      } catch (error) {
        if (hasS3Code(error, "NoSuchLifecycleConfiguration")) return [];
        if (hasS3Code(error, "NotImplemented") || hasS3Status(error, 501)) return null;
        throw error;
      }
    },

    async putLifecycle(rules, options = {}) {
      await connection.call(options, async ({ client, sdk, bucket, send }) => {
        if (rules.length === 0) {
          await client.send(new sdk.DeleteBucketLifecycleCommand({ Bucket: bucket }), send);
          return;
        }
        const command = new sdk.PutBucketLifecycleConfigurationCommand({
          Bucket: bucket,
          LifecycleConfiguration: {
            Rules: rules.map((rule) => formatLifecycleRule(rule, storageClasses)),
          },
        });
        useContentMd5(command);
        await client.send(command, send);
      });
    },
  };
}

/** A rule as S3 writes it. */
export function formatLifecycleRule(
  rule: LifecycleRule,
  names: StorageClassNames,
): SdkLifecycleRule {
  const { transitions, expireAfterDays, abortMultipartAfterDays } = rule;
  return {
    ID: rule.id,
    Status: rule.isDisabled ? "Disabled" : "Enabled",
    Filter: { Prefix: rule.prefix },
    ...(transitions.length === 0 ? {} : {
      Transitions: transitions.map(({ afterDays, to }) => ({
        Days: afterDays,
        StorageClass: names[to] as TransitionStorageClass,
      })),
    }),
    ...(expireAfterDays === null ? {} : { Expiration: { Days: expireAfterDays } }),
    ...(abortMultipartAfterDays === null
      ? {}
      : { AbortIncompleteMultipartUpload: { DaysAfterInitiation: abortMultipartAfterDays } }),
  };
}

/** A rule as we say it; marked when it says more (tags, sizes, dates, old versions). */
export function parseLifecycleRule(
  rule: SdkLifecycleRule,
  names: StorageClassNames,
): LifecycleRule {
  const parsed: LifecycleRule = {
    id: rule.ID ?? "",
    prefix: rule.Filter?.Prefix ?? rule.Prefix ?? "",
    transitions: (rule.Transitions ?? []).flatMap(({ Days, StorageClass }) =>
      Days === undefined ? [] : [{ afterDays: Days, to: parseStorageClass(StorageClass, names) }]
    ),
    expireAfterDays: rule.Expiration?.Days ?? null,
    abortMultipartAfterDays: rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation ?? null,
    ...(rule.Status === "Enabled" ? {} : { isDisabled: true }),
  };
  const { Filter: filter, Expiration: expiration } = rule;
  const saysMore = filter?.Tag !== undefined || filter?.And !== undefined ||
    filter?.ObjectSizeGreaterThan !== undefined || filter?.ObjectSizeLessThan !== undefined ||
    expiration?.Date !== undefined || expiration?.ExpiredObjectDeleteMarker === true ||
    rule.NoncurrentVersionExpiration !== undefined ||
    (rule.NoncurrentVersionTransitions ?? []).length > 0 ||
    (rule.Transitions ?? []).some(({ Days }) => Days === undefined);
  return saysMore ? { ...parsed, isPartial: true } : parsed;
}
