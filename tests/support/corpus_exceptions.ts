/**
 * Files of the corpus that are rendered otherwise than by libvips, or refused although it reads
 * them, each with its reason. What is not in this list has to agree.
 */

/** Why a file stands out: its picture `differs`, or it is `refused`. */
export interface CorpusException {
  readonly differs?: string;
  readonly refused?: string;
}

const BACK = "what the first frame leaves open is transparent, as in browsers; libnsgif paints it";
const CANVAS =
  "the canvas is the logical screen, as in the specification; libnsgif fits it to frames";
const SMOOTH = "libjpeg smooths blocks whose later scans are missing";
const CMYK = "without a profile ink is subtracted plainly; libvips assumes a press profile";

export const CORPUS_EXCEPTIONS: Readonly<Record<string, CorpusException>> = {
  "AOMediaCodec+libavif/tests/data/abc_color_irot_alpha_NOirot.avif": {
    differs: "alpha follows the turn of colour, as in libavif and browsers; libheif leaves it",
  },
  "AOMediaCodec+libavif/tests/data/extended_pixi.avif": {
    differs: "4 × 4 pixels of 4:2:0: chroma is interpolated, not repeated",
  },
  "AOMediaCodec+libavif/tests/data/sofa_grid1x5_420_reversed_dimg_order.avif": {
    refused: "libavif 1.0 would put the tiles together in the wrong order",
  },
  "dvyukov+go-fuzz-corpus/gif/corpus/4f68150cf9450d404a9930909aea2bcdb5562070-2": {
    differs: CANVAS,
  },
  "dvyukov+go-fuzz-corpus/gif/corpus/70fa80f3387e23835e47b3fde3c0c101562618c0-2": {
    differs: CANVAS,
  },
  "generated/bomb/png-300000x10.png": { refused: "a side over 65,535 pixels" },
  "generated/bomb/png-rgb8-7072x7072-over-50mp.png": { refused: "more than 50 megapixels" },
  "generated/svg/huge-canvas.svg": { refused: "a side over 65,535 pixels" },
  "google+wuffs/test/data/artificial-gif/frame-out-of-bounds.gif": { differs: CANVAS },
  "google+wuffs/test/data/artificial-gif/metadata-empty.gif": { differs: BACK },
  "google+wuffs/test/data/artificial-gif/metadata-full.gif": { differs: BACK },
  "google+wuffs/test/data/artificial-gif/multiple-loop-counts.gif": { differs: BACK },
  "google+wuffs/test/data/artificial-gif/small-frame-interlaced.gif": { differs: BACK },
  "google+wuffs/test/data/artificial-gif/zero-width-frame.gif": {
    refused: "the first frame has no pixels",
  },
  "google+wuffs/test/data/peacock.progressive.scan000.jpeg": { differs: SMOOTH },
  "google+wuffs/test/data/peacock.progressive.scan002.jpeg": { differs: SMOOTH },
  "image-rs+image-gif/tests/crashtest/issue-117-out-of-range.gif": {
    refused: "codes of an impossible length",
  },
  "image-rs+image/tests/images/gif/anim/oob.gif": { differs: CANVAS },
  "image-rs+image/tests/images/tiff/testsuite/cmyk_u8_edge_case.tif": { differs: CMYK },
  "image-rs+image/tests/images/tiff/testsuite/cmyk_u8_trunc_case.tif": { differs: CMYK },
  "imgproxy+imgproxy/testdata/test1.arith.jpg": { refused: "arithmetic coding is not supported" },
  "lovell+sharp/test/fixtures/Channel_digital_image_CMYK_color_no_profile.jpg": { differs: CMYK },
  "python-pillow+Pillow/Tests/images/16bit.s.tif": {
    refused: "signed samples: nothing says which value is black",
  },
  "python-pillow+Pillow/Tests/images/hopper_webp.tif": {
    refused: "TIFF with WebP inside is not supported",
  },
  "python-pillow+Pillow/Tests/images/tiff_strip_cmyk_jpeg.tif": { differs: CMYK },
  "robert-ancell+pygif/test-suite/dispose-restore-background.gif": { differs: BACK },
  "robert-ancell+pygif/test-suite/image-inside-bg.gif": { differs: BACK },
  "robert-ancell+pygif/test-suite/image-outside-bg.gif": { differs: CANVAS },
  "robert-ancell+pygif/test-suite/image-overlap-bg.gif": { differs: CANVAS },
  "robert-ancell+pygif/test-suite/no-clear-and-eoi.gif": {
    differs: "libnsgif draws no pixels when the end code is missing",
  },
  "robert-ancell+pygif/test-suite/no-eoi.gif": {
    differs: "libnsgif draws no pixels when the end code is missing",
  },
};
