/** Why a JPEG was refused. The list is closed: callers map each reason to their own error. */
export type JpegErrorReason =
  /** The bytes end before the picture does. */
  | "truncated"
  /** The bytes contradict the standard or themselves. */
  | "corrupt"
  /** A valid JPEG of a kind this decoder does not read (arithmetic, lossless, 12-bit, …). */
  | "unsupported"
  /** Decoding would pass a limit given in `JpegLimits`. */
  | "budget";

/** The only error that the JPEG decoder and encoder throw for bad input. */
export class JpegError extends Error {
  override readonly name = "JpegError";
  constructor(readonly reason: JpegErrorReason, message: string) {
    super(message);
  }
}
