import { ArgumentError } from "../util/errors.ts";
import { normalBlock32, normalBlock64 } from "./box-muller.ts";
import type { TypedArray } from "./dtype.ts";
import { fma64 } from "./fma.ts";
import { MersenneTwister, MT_WORDS } from "./mt19937.ts";

/** Bytes of PyTorch's generator state: `torch.get_rng_state().numel()`. */
const STATE_BYTES = 5056;
const TWO_32 = 2 ** 32;
const f32 = Math.fround;

/** Words drawn at once, for what takes many. */
const words = new Int32Array(1024);

/**
 * PyTorch's random generator for the CPU (`torch.Generator()`): MT19937 and PyTorch's own way from its words to
 * uniform, normal, integer and Bernoulli values, so that one seed gives PyTorch's numbers.
 *
 * Uniform, integer, permutation and Bernoulli values are PyTorch 1.13's to the bit, and so are float32 normal ones in
 * arrays of 16 and more. Where PyTorch calls libm in double precision (float64 normal values, and float32 ones in arrays
 * below 16, rounded afterwards) the last bit of a double can differ from one libm to another.
 *
 * @example
 * ```ts
 * import { Generator } from "evenkeel";
 * new Generator(42).randperm(10); // => [2, 6, 1, 8, 4, 5, 0, 9, 3, 7]
 * ```
 */
export class Generator {
  private readonly engine = new MersenneTwister(0);
  private seedValue = 0n;
  /** The second value of the last pair of single normal draws, until it is asked for. */
  private spareNormal: number | undefined;

  /** @param seed as for `manualSeed`; without one PyTorch's fixed default, 67280421310721 */
  constructor(seed: number | bigint = 67280421310721n) {
    this.manualSeed(seed);
  }

  /**
   * Starts the sequence of a seed, as `torch.Generator.manual_seed`. The low 32 bits choose the sequence.
   *
   * @param seed an integer from −2⁶³ to 2⁶⁴ − 1; negative ones count modulo 2⁶⁴
   * @throws ArgumentError if it is no integer or outside that range
   */
  manualSeed(seed: number | bigint): this {
    if (typeof seed === "number" && !Number.isInteger(seed)) {
      throw new ArgumentError(`expected an integer seed (got ${seed})`, "pass a whole number");
    }
    const value = BigInt(seed);
    if (value < -(1n << 63n) || value >= 1n << 64n) {
      throw new ArgumentError(`Overflow when unpacking long (seed ${seed})`, "pass a seed from -2^63 to 2^64 - 1");
    }
    this.seedValue = BigInt.asUintN(64, value);
    this.engine.seed(Number(BigInt.asIntN(32, value)));
    this.spareNormal = undefined;
    return this;
  }

  /** Starts from an unpredictable seed and returns it, as `torch.Generator.seed`. */
  seed(): bigint {
    const words = crypto.getRandomValues(new BigUint64Array(1));
    this.manualSeed(words[0]);
    return words[0];
  }

  /** The seed the sequence was started from, as an unsigned 64-bit integer. */
  initialSeed(): bigint {
    return this.seedValue;
  }

  /** The next 32-bit word, from 0 to 2³² − 1. */
  random32(): number {
    return this.engine.draw() >>> 0;
  }

  /** The next two words as one unsigned 64-bit integer, the first one high. */
  random64(): bigint {
    const high = this.random32();
    return (BigInt(high) << 32n) | BigInt(this.random32());
  }

  /** A non-negative 63-bit integer, as `torch.empty((), dtype=torch.int64).random_()`: what a loader draws its seeds with. */
  randomInt64(): bigint {
    return BigInt.asUintN(63, this.random64());
  }

  /** A float32 value from [0, 1): 24 bits of one word. */
  uniform32(): number {
    return (this.engine.draw() & 0xffffff) * 2 ** -24;
  }

  /** A float64 value from [0, 1): 53 bits of two words. */
  uniform64(): number {
    const high = this.engine.draw() & 0x1fffff;
    return (high * TWO_32 + (this.engine.draw() >>> 0)) * 2 ** -53;
  }

  /** One normal value in double precision: every second call uses the second half of a pair, as `normal_distribution<double>`. */
  normal64(mean = 0, std = 1): number {
    let value = this.spareNormal;
    if (value === undefined) {
      const theta = 2 * Math.PI * this.uniform64();
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform64()));
      this.spareNormal = radius * Math.sin(theta);
      value = radius * Math.cos(theta);
    } else {
      this.spareNormal = undefined;
    }
    return fma64(value, std, mean);
  }

  /**
   * Fills with uniform values from [from, to), as `Tensor.uniform_`.
   *
   * @throws ArgumentError if `from` exceeds `to` or one of them is not finite in the array's dtype
   */
  fillUniform(out: Float32Array | Float64Array, from = 0, to = 1): void {
    const single = out instanceof Float32Array;
    const [a, b] = single ? [f32(from), f32(to)] : [from, to];
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      const name = Number.isFinite(a) ? "to" : "from";
      throw new ArgumentError(`${name} is out of bounds for ${single ? "float" : "double"}`, "pass finite bounds");
    }
    if (from > to) {
      throw new ArgumentError(
        `uniform_ expects to return a [from, to) range, but found from=${from} > to=${to}`,
        "swap the bounds",
      );
    }
    if (single) {
      const width = f32(b - a);
      for (let at = 0; at < out.length; at += words.length) {
        const some = Math.min(words.length, out.length - at);
        this.engine.drawMany(words, some);
        // As uniform32. The product of two floats is exact in double, so the store rounds once, as the fused multiply-add does.
        for (let i = 0; i < some; i++) out[at + i] = (words[i] & 0xffffff) * 2 ** -24 * width + a;
      }
    } else {
      const width = b - a;
      for (let i = 0; i < out.length; i++) out[i] = fma64(this.uniform64(), width, a);
    }
  }

  /**
   * Fills with normal values, as `Tensor.normal_`. From 16 elements on the values come in blocks of 16, the last block
   * ending where the array ends; below 16 they come one by one.
   *
   * @throws ArgumentError if `std` is negative
   */
  fillNormal(out: Float32Array | Float64Array, mean = 0, std = 1): void {
    if (!(std >= 0)) throw new ArgumentError(`normal expects std >= 0.0, but found std ${std}`, "pass a positive std");
    const n = out.length;
    if (n < 16) {
      for (let i = 0; i < n; i++) out[i] = this.normal64(mean, std);
      return;
    }
    this.fillUniform(out);
    this.transformBlocks(out, 0, n - (n % 16), mean, std);
    if (n % 16 !== 0) {
      this.fillUniform(out.subarray(n - 16));
      this.transformBlocks(out, n - 16, n, mean, std);
    }
  }

  private transformBlocks(out: Float32Array | Float64Array, start: number, end: number, mean: number, std: number) {
    if (out instanceof Float32Array) {
      for (let i = start; i < end; i += 16) normalBlock32(out, i, f32(mean), f32(std));
    } else {
      for (let i = start; i < end; i += 16) normalBlock64(out, i, mean, std);
    }
  }

  /**
   * Fills with integers from [low, high), as `torch.randint`: a word modulo the range; from a range of 2³² on, two words
   * (PyTorch 1.13; the newest 2.x take two words from 2²⁸ on).
   *
   * @throws ArgumentError if the range is empty, or `low` or `high − 1` does not fit into the array's dtype
   */
  fillRandint(out: TypedArray, low: number | bigint, high: number | bigint): void {
    const from = BigInt(low);
    const range = BigInt(high) - from;
    if (range <= 0n) {
      throw new ArgumentError(
        `random_ expects 'from' to be less than 'to', but got from=${low} >= to=${high}`,
        "the upper bound is exclusive",
      );
    }
    checkIntegers(out, from, from + range - 1n);
    if (range >= 1n << 32n) {
      for (let i = 0; i < out.length; i++) {
        const value = BigInt.asIntN(64, (this.random64() % range) + from);
        if (out instanceof BigInt64Array) out[i] = value;
        else out[i] = Number(value);
      }
    } else if (out instanceof BigInt64Array) {
      const width = Number(range);
      for (let i = 0; i < out.length; i++) out[i] = BigInt(this.random32() % width) + from;
    } else {
      const width = Number(range);
      const base = Number(from);
      for (let i = 0; i < out.length; i++) out[i] = (this.random32() % width) + base;
    }
  }

  /**
   * A random order of 0 … n − 1, as `torch.randperm`.
   *
   * @throws ArgumentError if n is no whole number from 0 to 2³² − 1
   */
  randperm(n: number): number[] {
    return Array.from(this.permutation(n));
  }

  /** @internal what randperm gives, in a typed array */
  permutation(n: number): Uint32Array {
    if (!Number.isInteger(n) || n < 0 || n >= TWO_32) {
      throw new ArgumentError(`randperm expects n to be a whole number >= 0 (got ${n})`, "pass the number of elements");
    }
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    for (let at = 0; at < n - 1; at += words.length) {
      const some = Math.min(words.length, n - 1 - at);
      this.engine.drawMany(words, some);
      for (let k = 0; k < some; k++) {
        const i = at + k;
        // Unsigned on both sides, so that it is the machine's division, not that of doubles.
        const j = i + ((words[k] >>> 0) % ((n - i) >>> 0));
        const value = order[i];
        order[i] = order[j];
        order[j] = value;
      }
    }
    return order;
  }

  /**
   * Fills with ones of probability p and zeros, as `Tensor.bernoulli_(p)`; dropout draws its mask with `1 − p`.
   *
   * @throws ArgumentError if p is outside [0, 1]
   */
  fillBernoulli(out: TypedArray, p: number): void {
    if (!(p >= 0 && p <= 1)) {
      throw new ArgumentError(`bernoulli_ expects p to be in [0, 1], but got p=${p}`, "pass a probability");
    }
    if (out instanceof BigInt64Array) {
      for (let i = 0; i < out.length; i++) out[i] = this.uniform64() < p ? 1n : 0n;
    } else {
      for (let i = 0; i < out.length; i++) out[i] = this.uniform64() < p ? 1 : 0;
    }
  }

  /**
   * The state in PyTorch's own format, 5056 bytes: what `torch.get_rng_state()` holds, and what `torch.set_rng_state` takes.
   */
  getState(): Uint8Array {
    const view = new DataView(new ArrayBuffer(STATE_BYTES));
    view.setBigUint64(0, this.seedValue, true);
    view.setInt32(8, this.engine.left, true);
    view.setInt32(12, 1, true);
    view.setUint32(16, this.engine.next, true);
    for (let i = 0; i < MT_WORDS; i++) view.setUint32(24 + 8 * i, this.engine.state[i], true);
    const normal = 24 + 8 * MT_WORDS;
    view.setFloat64(normal + 8, this.spareNormal ?? 0, true);
    view.setInt32(normal + 24, this.spareNormal === undefined ? 0 : 1, true);
    return new Uint8Array(view.buffer);
  }

  /**
   * Goes back to a state that `getState` or `torch.get_rng_state` gave.
   *
   * @throws ArgumentError if it has another size or no valid position
   */
  setState(state: Uint8Array): this {
    if (state.length !== STATE_BYTES) {
      throw new ArgumentError(
        `Expected a CPUGeneratorImplState of size ${STATE_BYTES} but found the input RNG state size to be ${state.length}`,
        "pass what getState() or torch.get_rng_state() returned",
      );
    }
    const view = new DataView(state.buffer, state.byteOffset, state.length);
    const left = view.getInt32(8, true);
    const next = view.getUint32(16, true);
    if (left < 1 || left > MT_WORDS || next > MT_WORDS) {
      throw new ArgumentError("Invalid mt19937 state", "pass what getState() or torch.get_rng_state() returned");
    }
    this.seedValue = view.getBigUint64(0, true);
    this.engine.left = left;
    this.engine.next = next;
    for (let i = 0; i < MT_WORDS; i++) this.engine.state[i] = view.getUint32(24 + 8 * i, true);
    const normal = 24 + 8 * MT_WORDS;
    this.spareNormal = view.getInt32(normal + 24, true) === 0 ? undefined : view.getFloat64(normal + 8, true);
    return this;
  }
}

/** Floats are not checked: beyond 2²⁴ and 2⁵³ they round, of which PyTorch only warns. */
function checkIntegers(out: TypedArray, first: bigint, last: bigint): void {
  const limits =
    out instanceof BigInt64Array
      ? ({ name: "long", bits: 64n, signed: true } as const)
      : out instanceof Int32Array
        ? ({ name: "int", bits: 32n, signed: true } as const)
        : out instanceof Uint8Array
          ? ({ name: "unsigned char", bits: 8n, signed: false } as const)
          : undefined;
  if (!limits) return;
  const span = 1n << limits.bits;
  const min = limits.signed ? -span / 2n : 0n;
  const advice = "choose a dtype that holds the whole range";
  if (first < min) throw new ArgumentError(`from is out of bounds for ${limits.name}`, advice);
  if (last >= min + span) throw new ArgumentError(`to - 1 is out of bounds for ${limits.name}`, advice);
}

/**
 * The generator that everything draws from unless given another; it starts from an unpredictable seed, as PyTorch's.
 * @example
 * ```ts
 * import { defaultGenerator, manualSeed } from "evenkeel";
 * manualSeed(3);
 * Number(defaultGenerator.initialSeed()); // => 3
 * ```
 */
export const defaultGenerator: Generator = new Generator();
defaultGenerator.seed();
