/*
 * The products of polyphase.ts and of the gradient of its input, at each of the 25 places of a block of transformed tiles, and how blocks are cut.
 */
import { BATCH, CHANNELS, get, OUT_CHANNELS, padded } from "./geometry";
import { PLACES, POINTS, phaseChannels, phasesAt } from "./polyphase-tiles";
import { TILE_BYTES } from "./tile";
import { multiplyTiles } from "./winograd-product";
import { oddLines, tilesAcross, tilesDown } from "./winograd-tiles";

/** Bytes from tile to tile: 32 channels together, of one phase or several. */
export const STEP: usize = 128;
const TOGETHER: usize = 32;

/** Bytes of transformed tiles, in and out, that are aimed at, and the most tiles worth taking at once. */
const BLOCK_BYTES: usize = 589824;
const BLOCK_TILES: usize = 128;
/** Transformed weights that stay in the second cache from block to block; larger ones are read again for each, of which there should be fewer. */
const CACHED_BYTES: usize = 1048576;

/** How many tiles of so many channels are done at once. */
export function blockOf(channels: usize, outChannels: usize): usize {
  const bytes = channels * outChannels * 324 > CACHED_BYTES ? 2 * BLOCK_BYTES : BLOCK_BYTES;
  return bytes / (324 * channels + 4 * PLACES * outChannels);
}

/** Rows of tiles that are done at once: whole images if it can be, and an eighth of all at most, so that threads have something to share. */
export function polyphaseRows(p: usize): usize {
  const tiles = min(BLOCK_TILES, blockOf(phaseChannels(get(p, CHANNELS)), padded(get(p, OUT_CHANNELS), 8)));
  const rows = min(tiles / tilesAcross(p), (get(p, BATCH) * tilesDown(p) + 7) / 8);
  const perImage = tilesDown(p);
  return max(1, rows > perImage ? rows - (rows % perImage) : rows);
}

/** Tiles of a block, whole groups of four, and an odd number of groups. */
export function blockTiles(p: usize): usize {
  return padded(polyphaseRows(p) * tilesAcross(p), 4) | 4;
}

/** Bytes of the transformed weights of one place: slivers of eight output channels, or in the gradient of eight channels of phases. */
export function weightsPlace(p: usize): usize {
  return oddLines(16 * phaseChannels(get(p, CHANNELS)) * padded(get(p, OUT_CHANNELS), 8));
}

/**
 * Sums of `count` tiles at all places: of up to four times as many channels, or, for the gradient of the input, up to four times as many columns. What the next block reads and writes is not fetched meanwhile, as
 * winograd.ts does it: that takes 0 to 5 % longer here.
 */
export function multiplyPlaces(
  p: usize,
  gradient: bool,
  odd: usize,
  count: usize,
  tiles: usize,
  place: usize,
  block: usize,
  u: usize,
  sums: usize,
  sumPlace: usize,
  sumRow: usize,
): void {
  const each = phaseChannels(get(p, CHANNELS));
  const outChannels = get(p, OUT_CHANNELS);
  const weightsStep = weightsPlace(p);
  for (let i: usize = 0; i < PLACES; i++) {
    let weights = u + i * weightsStep;
    const phased = phasesAt(i / POINTS, i % POINTS, odd) * each;
    const channels = gradient ? outChannels : phased;
    const bytes = padded(4 * (gradient ? phased : outChannels), TILE_BYTES);
    for (let k: usize = 0; k < bytes; k += TILE_BYTES) {
      let from = tiles + i * place;
      const to = sums + i * sumPlace + k;
      for (let c: usize = 0; c < channels; c += TOGETHER) {
        const summed = min(TOGETHER, channels - c);
        multiplyTiles<i64>(count, summed, from, weights, to, sumRow, c > 0);
        from += block;
        weights += summed * TILE_BYTES;
      }
    }
  }
}
