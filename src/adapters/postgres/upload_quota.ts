import type { UploadQuota } from "../../http/upload_admission.ts";
import type { Database } from "./database.ts";

/** Bytes per key and UTC day in Postgres, whose clock says which day it is. */
export function createUploadQuota(database: Database): UploadQuota {
  return {
    async reserve(keyId, bytes, limitBytes) {
      // The limit is in the statement: two uploads at once cannot both take what only one may have.
      const rows = await database.write((sql) =>
        sql`
          insert into api_key_usage as used (key_id, day, bytes)
          select ${keyId}, (now() at time zone 'utc')::date, ${bytes}::bigint
          where ${bytes}::bigint <= ${limitBytes}::bigint
          on conflict (key_id, day) do update set bytes = used.bytes + excluded.bytes
          where used.bytes + excluded.bytes <= ${limitBytes}::bigint
          returning 1`, { name: "quota.reserve" });
      return rows.length === 1;
    },
    async refund(keyId, bytes) {
      await database.write((sql) =>
        sql`
          update api_key_usage set bytes = greatest(0, bytes - ${bytes}::bigint)
          where key_id = ${keyId} and day = (now() at time zone 'utc')::date`, {
        name: "quota.refund",
      });
    },
  };
}
