import { u16be } from "./byte_order.ts";
import { type HeaderReader, undecodable } from "./header_reader.ts";

const DNL = 0xdc;
const WINDOW_BYTES = 64 << 10;

/**
 * The number of lines of a JPEG whose frame header leaves it open: the DNL segment that ends the
 * first scan gives it (ITU-T T.81 B.2.5). Reads through the whole scan, within the probe's budget.
 *
 * @param scanAt Offset of the length field of the first scan header.
 * @throws {AppError} `image_undecodable` when the scan ends otherwise.
 */
export async function readJpegLineCount(reader: HeaderReader, scanAt: number): Promise<number> {
  const from = scanAt + u16be(await reader.load(scanAt, 2), 0);
  const { marker, next } = await findScanEnd(reader, from);
  const lines = marker === DNL ? u16be(await reader.load(next + 2, 2), 0) : 0;
  if (lines > 0) return lines;
  throw undecodable("The JPEG has no height: neither its frame header nor a DNL segment says it");
}

/** The first marker that is no stuffed byte and no restart. */
async function findScanEnd(
  reader: HeaderReader,
  from: number,
): Promise<{ marker: number; next: number }> {
  let afterFill = false;
  for (let at = from; at < reader.size; at += WINDOW_BYTES) {
    reader.step();
    const bytes = await reader.loadSome(at, WINDOW_BYTES);
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      if (afterFill && byte !== 0xff && byte !== 0 && (byte & 0xf8) !== 0xd0) {
        return { marker: byte, next: at + i + 1 };
      }
      afterFill = byte === 0xff;
    }
  }
  throw undecodable("The JPEG ends within its first scan");
}
