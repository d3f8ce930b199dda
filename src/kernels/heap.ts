import { platform } from "#platform";
import { OutOfMemoryError } from "../util/errors.ts";
import type { Pointer } from "./backend.ts";

const PAGE = 65536;
/** The first page belongs to the WebAssembly module's constants and small argument blocks; it also makes 0 no block's address. */
const HEAP_START = PAGE;
/** A cache line, and a multiple of every element and SIMD size. */
const ALIGNMENT = 64;
/** One less than WebAssembly allows, so that the address behind a block never wraps to 0. */
const MAX_PAGES = 65535;
/** The heap grows by at least this much, so that growing is rare. */
const GROWTH_PAGES = 256;

/** Idle bytes below which blocks are never merged. */
const MERGE_FROM = 64 * 1024 * 1024;

/**
 * Size classes, numbered from 1: up to 4 KiB the multiples of 64, above it eight steps from each power of two to the next, so that sizes meet again. A class fits in a
 * byte.
 */
function classOf(bytes: number): number {
  if (bytes <= 4096) return Math.max((bytes + 63) >>> 6, 1);
  if (bytes > 15 * 2 ** 28) return TOO_LARGE;
  const last = (bytes - 1) >>> 0;
  const octave = 31 - Math.clz32(last);
  return 8 * octave - 39 + (last >>> (octave - 3));
}

/** The class of blocks that are larger than all memory. */
const TOO_LARGE = 224;

/** Bytes of the blocks of each class. Whole numbers to V8 too: sums with a double would make doubles of all addresses. */
const CLASS_BYTES = Uint32Array.from({ length: TOO_LARGE + 1 }, (_, c) => {
  const above = c - 65;
  const bytes = above < 0 ? c * ALIGNMENT : ((above % 8) + 9) * 2 ** (Math.floor(above / 8) + 9);
  return Math.min(bytes, 2 ** 32 - 1);
});

/** What the heap holds, in bytes. */
export interface HeapUsage {
  /** in blocks that are in use */
  readonly used: number;
  /** the most that was in use at once */
  readonly peak: number;
  /** taken from the system */
  readonly reserved: number;
  /** number of blocks in use */
  readonly blocks: number;
}

/** Shared between threads where the platform has them, otherwise this thread's own. */
function newMemory(): WebAssembly.Memory {
  const pages = { initial: GROWTH_PAGES, maximum: MAX_PAGES };
  if (platform.parallelism() === 1) return new WebAssembly.Memory(pages);
  try {
    return new WebAssembly.Memory({ ...pages, shared: true });
  } catch {
    // Shared memory reserves the addresses of its maximum, which a small device may not have.
    return new WebAssembly.Memory(pages);
  }
}

/**
 * The memory that tensors live in: one WebAssembly memory that every backend computes on, and its allocator. A freed block
 * goes to the next request of its size class, last in first out, while it is still in the cache.
 *
 * The typed views are replaced when the memory grows: read them from the heap at each use, never keep one across `alloc`. (Views
 * of a shared memory stay valid, but end where the memory ended then; those of a memory of one's own become empty.)
 */
export class Heap {
  readonly memory = newMemory();
  /** Whether other threads can compute on it. */
  readonly shared = !(this.memory.buffer instanceof ArrayBuffer);
  f32!: Float32Array;
  f64!: Float64Array;
  i32!: Int32Array;
  i64!: BigInt64Array;
  u16!: Uint16Array;
  u8!: Uint8Array;

  /** No more than this many bytes are taken from the system. */
  limit = MAX_PAGES * PAGE;

  /** class of the block in use at each multiple of 64, else 0; a Map takes four times as long, and a step allocates and frees some sixty times */
  private classes = new Uint8Array(0);
  /** idle blocks by class */
  private readonly bins = Array.from(CLASS_BYTES, (): Pointer[] => []);
  /** idle blocks that were joined, of any size: what no bin has is cut from them */
  private gaps: [Pointer, number][] = [];
  private top = HEAP_START;
  private blocks = 0;
  private used = 0;
  private peak = 0;
  private idle = 0;

  constructor() {
    this.refreshViews();
  }

  private refreshViews(): void {
    const { buffer } = this.memory;
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u8 = new Uint8Array(buffer);
    const units = buffer.byteLength / ALIGNMENT;
    if (units <= this.classes.length) return;
    const { classes } = this;
    this.classes = new Uint8Array(Math.max(units, 2 * classes.length));
    this.classes.set(classes);
  }

  /**
   * The address of a block of at least `bytes` bytes, aligned to 64, with undefined content.
   * @throws OutOfMemoryError when it does not fit
   */
  alloc(bytes: number): Pointer {
    const sizeClass = classOf(bytes);
    const size = CLASS_BYTES[sizeClass];
    let pointer = this.bins[sizeClass].pop();
    if (pointer !== undefined) this.idle -= size;
    else pointer = this.carve(size);
    this.classes[pointer >>> 6] = sizeClass;
    this.blocks++;
    this.used += size;
    if (this.used > this.peak) this.peak = this.used;
    return pointer;
  }

  /** A block that no bin has: from a gap, from gaps joined anew if much lies idle, else from fresh memory. */
  private carve(size: number): Pointer {
    // Joining sorts all idle blocks and empties the bins; it pays when the idle bytes are many times the request, or the end is near.
    const pointer = this.takeGap(size) ?? (this.idle >= 4 * size + MERGE_FROM ? this.takeMerged(size) : undefined);
    if (pointer !== undefined) return pointer;
    const end = this.top + size;
    if (end > this.memory.buffer.byteLength && !this.grow(end)) {
      const merged = this.takeMerged(size);
      if (merged !== undefined) return merged;
      throw new OutOfMemoryError(
        `the tensor heap is full: ${size} bytes do not fit beside the ${this.used} in use (limit ${this.limit})`,
      );
    }
    this.top = end;
    return end - size;
  }

  private grow(end: number): boolean {
    const have = this.memory.buffer.byteLength / PAGE;
    const most = Math.min(MAX_PAGES, Math.floor(this.limit / PAGE));
    const need = Math.ceil(end / PAGE);
    if (need > most) return false;
    const want = Math.min(most, Math.max(need, have + GROWTH_PAGES));
    try {
      this.memory.grow(want - have);
    } catch {
      return false;
    }
    this.refreshViews();
    return true;
  }

  /** Joins neighbouring idle blocks to gaps and takes `size` from one. */
  private takeMerged(size: number): Pointer | undefined {
    const idle = this.gaps;
    this.bins.forEach((bin, sizeClass) => {
      for (const pointer of bin.splice(0)) idle.push([pointer, CLASS_BYTES[sizeClass]]);
    });
    idle.sort((a, b) => a[0] - b[0]);
    this.gaps = [];
    for (const block of idle) {
      const last = this.gaps[this.gaps.length - 1];
      if (last && last[0] + last[1] === block[0]) last[1] += block[1];
      else this.gaps.push(block);
    }
    return this.takeGap(size);
  }

  /** Takes `size` from the smallest gap that holds it. */
  private takeGap(size: number): Pointer | undefined {
    let best = -1;
    for (let i = 0; i < this.gaps.length; i++) {
      if (this.gaps[i][1] >= size && (best < 0 || this.gaps[i][1] < this.gaps[best][1])) best = i;
    }
    if (best < 0) return undefined;
    const gap = this.gaps[best];
    const [pointer] = gap;
    if (gap[1] === size) this.gaps.splice(best, 1);
    else {
      gap[0] += size;
      gap[1] -= size;
    }
    this.idle -= size;
    return pointer;
  }

  /** Gives a block back. */
  free(pointer: Pointer): void {
    const sizeClass = pointer & 63 ? 0 : this.classes[pointer >>> 6];
    if (!sizeClass) throw new Error(`heap: ${pointer} is not the address of a block in use`);
    const size = CLASS_BYTES[sizeClass];
    this.classes[pointer >>> 6] = 0;
    this.blocks--;
    this.used -= size;
    this.idle += size;
    this.bins[sizeClass].push(pointer);
  }

  usage(): HeapUsage {
    return { used: this.used, peak: this.peak, reserved: this.memory.buffer.byteLength, blocks: this.blocks };
  }

  /** Starts the peak anew from what is in use now. */
  resetPeak(): void {
    this.peak = this.used;
  }
}

/** The heap of this thread of execution. */
export const heap = new Heap();
