/*
 * The products of polyphase.ts and of the gradient of its input, at each of the 25 places of a block of transformed tiles, and how blocks are cut.
 */
import { BATCH, CHANNELS, get, OUT_CHANNELS, padded } from "./geometry";
import { PLACES, POINTS, phaseChannels, phasesAt } from "./polyphase-tiles";
import { TILE_BYTES } from "./tile";
import { multiplyTiles } from "./winograd-product";
import { oddLines, share, tilesAcross, tilesDown } from "./winograd-tiles";

/** Bytes from tile to tile: 32 channels together, of one phase or several. */
export const STEP: usize = 128;
const TOGETHER: usize = 32;

/** Bytes of transformed tiles, in and out, that are aimed at, and the most tiles worth taking at once. */
export const BLOCK_BYTES: usize = 589824;
const BLOCK_TILES: usize = 128;
/** What the next block reads and writes is fetched meanwhile where it, smaller blocks and so many bytes of weights stay in the second cache: [64, 16, 32, 32] to 32 takes 9 % less, with more channels up to 5 % more. */
const FETCHING_WEIGHTS: usize = 262144;
const FETCHING_BYTES: usize = 300000;
/** Transformed weights that stay in the second cache from block to block; larger ones are read again for each, of which there should be fewer. */
const CACHED_BYTES: usize = 1048576;

/** How many tiles of so many channels are done at once. */
export function blockOf(channels: usize, outChannels: usize, aimed: usize): usize {
  const bytes = channels * outChannels * 324 > CACHED_BYTES ? 2 * BLOCK_BYTES : aimed;
  return bytes / (324 * channels + 4 * PLACES * outChannels);
}

/** Whether the next block is fetched meanwhile. */
function isFetching(p: usize): bool {
  return get(p, CHANNELS) * get(p, OUT_CHANNELS) * 324 <= FETCHING_WEIGHTS;
}

/** Rows of tiles, whole images, behind those up to number `next` that are worth fetching; `last` is where rows end. */
export function rowsToFetch(p: usize, next: usize, last: usize): usize {
  return isFetching(p) && next % tilesDown(p) === 0 ? min(polyphaseRows(p), last - next) : 0;
}

/** Rows of tiles that are done at once: whole images if it can be, and an eighth of all at most, so that threads have something to share. */
export function polyphaseRows(p: usize): usize {
  const fitting = blockOf(
    phaseChannels(get(p, CHANNELS)),
    padded(get(p, OUT_CHANNELS), 8),
    isFetching(p) ? FETCHING_BYTES : BLOCK_BYTES,
  );
  const tiles = min(BLOCK_TILES, fitting);
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

/** Tiles between two bursts of lines: a whole number of register tiles, whether of four rows or five. */
const PORTION: usize = 20;

/**
 * Sums of `count` tiles at all places: of up to four times as many channels, or, for the gradient of the input, up to four times as many columns. Meanwhile the lines that the next block reads and writes are
 * fetched, a few at a time, which waits for no memory; `word` keeps what has been read only for that.
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
  word: usize,
  from: usize,
  fromBytes: usize,
  to: usize,
  toBytes: usize,
): void {
  const each = phaseChannels(get(p, CHANNELS));
  const outChannels = get(p, OUT_CHANNELS);
  const weightsStep = weightsPlace(p);
  // There are 81 products of phases; a sliver of channels or columns takes as many portions.
  const slivers = gradient
    ? ((81 * each * 4) / TILE_BYTES) * ((outChannels + TOGETHER - 1) / TOGETHER)
    : (padded(4 * outChannels, TILE_BYTES) / TILE_BYTES) * ((81 * each + TOGETHER - 1) / TOGETHER);
  const portion = fromBytes > 0 ? PORTION : count;
  const portions = max<usize>(1, slivers * ((count + portion - 1) / portion));
  const fromShare = share(fromBytes, portions);
  const toShare = share(toBytes, portions);
  const fromEnd = from + fromBytes;
  const toEnd = to + toBytes;
  let all: u32 = 0;
  for (let i: usize = 0; i < PLACES; i++) {
    let weights = u + i * weightsStep;
    const phased = phasesAt(i / POINTS, i % POINTS, odd) * each;
    const channels = gradient ? outChannels : phased;
    const bytes = padded(4 * (gradient ? phased : outChannels), TILE_BYTES);
    for (let k: usize = 0; k < bytes; k += TILE_BYTES) {
      let left = tiles + i * place;
      const out = sums + i * sumPlace + k;
      for (let c: usize = 0; c < channels; c += TOGETHER) {
        const summed = min(TOGETHER, channels - c);
        for (let t: usize = 0; t < count; t += portion) {
          for (const stop = min(fromEnd, from + fromShare); from < stop; from += 64) all |= load<u32>(from);
          for (const stop = min(toEnd, to + toShare); to < stop; to += 64) store<u32>(to, 0);
          multiplyTiles<i64>(
            min(portion, count - t),
            summed,
            left + t * STEP,
            weights,
            out + t * sumRow,
            sumRow,
            c > 0,
          );
        }
        left += block;
        weights += summed * TILE_BYTES;
      }
    }
  }
  store<u32>(word, all); // or nothing would be read
}
