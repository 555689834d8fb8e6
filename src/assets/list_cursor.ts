import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";
import type { ListFilter, ListPosition } from "./ports.ts";

/** For which list a cursor is good. */
export interface CursorScope extends ListFilter {
  readonly tenant: string;
}

/** Turns places in a list into opaque text and back. */
export interface CursorCodec {
  format(position: ListPosition, scope: CursorScope): string;
  /** @throws {AppError} `invalid_cursor` for anything that `format` did not make for this scope. */
  parse(text: string, scope: CursorScope): ListPosition;
}

const TIME_BYTES = 8;
const ID_BYTES = 16;
/** 128 bits of the HMAC are ample for something that is worth nothing but a page of one's own. */
const MAC_BYTES = 16;
const CURSOR = /^[A-Za-z0-9_-]{54}$/;

/**
 * Creates the codec of list cursors: place and HMAC-SHA-256 (RFC 2104), base64url.
 *
 * The MAC covers tenant and filter. Without it nothing could be read that is not the caller's (each
 * query names its tenant); with it a cursor cannot be made up, altered or used on another list.
 *
 * @param secret Shared by all instances; when it changes, cursors in use become invalid.
 */
export function createCursorCodec(secret: string): CursorCodec {
  function sign(place: Uint8Array, { tenant, state, mime }: CursorScope): Buffer {
    return createHmac("sha256", secret)
      .update(place)
      .update(JSON.stringify(["facet list cursor", tenant, state, mime]))
      .digest()
      .subarray(0, MAC_BYTES);
  }

  return {
    format({ createdAtUs, assetId }, scope) {
      const place = Buffer.alloc(TIME_BYTES + ID_BYTES);
      place.writeBigUInt64BE(BigInt(createdAtUs));
      place.write(assetId.replaceAll("-", ""), TIME_BYTES, "hex");
      return Buffer.concat([place, sign(place, scope)]).toString("base64url");
    },
    parse(text, scope) {
      const bytes = Buffer.from(CURSOR.test(text) ? text : "", "base64url");
      const place = bytes.subarray(0, TIME_BYTES + ID_BYTES);
      const mac = bytes.subarray(TIME_BYTES + ID_BYTES);
      // The last character has bits to spare: one cursor has one spelling.
      const isCanonical = bytes.toString("base64url") === text;
      if (!isCanonical || mac.length !== MAC_BYTES || !timingSafeEqual(mac, sign(place, scope))) {
        throw new AppError(
          "invalid_cursor",
          "The cursor is not one that this list has given out: start again without one",
        );
      }
      const hex = place.toString("hex", TIME_BYTES);
      return {
        createdAtUs: Number(place.readBigUInt64BE()),
        assetId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
      };
    },
  };
}
