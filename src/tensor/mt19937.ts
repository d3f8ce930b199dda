/** Words of state in the Mersenne twister. */
export const MT_WORDS = 624;

const MIDDLE = 397;

/** The position of a twister that has been seeded and not drawn from, as PyTorch counts it. */
const UNSTARTED = { left: 1, next: 0 };

/**
 * The 32-bit Mersenne twister MT19937, drawing PyTorch's words in PyTorch's order.
 *
 * Source: Matsumoto & Nishimura, "Mersenne Twister" (1998); `at::mt19937`.
 */
export class MersenneTwister {
  /** The 624 words of state. */
  readonly state = new Uint32Array(MT_WORDS);
  /** Draws until the state is renewed, counting the one that renews it; `left` and `next` are PyTorch's own counters. */
  left = UNSTARTED.left;
  /** Index of the next word. */
  next = UNSTARTED.next;

  /** @param seed its low 32 bits count */
  constructor(seed: number) {
    this.seed(seed);
  }

  /** Starts anew from the low 32 bits of the seed. */
  seed(seed: number): void {
    const s = this.state;
    s[0] = seed >>> 0;
    for (let i = 1; i < MT_WORDS; i++) s[i] = Math.imul(1812433253, s[i - 1] ^ (s[i - 1] >>> 30)) + i;
    this.left = UNSTARTED.left;
    this.next = UNSTARTED.next;
  }

  /** The next word as a signed 32-bit integer; `>>> 0` makes it unsigned. */
  draw(): number {
    if (--this.left === 0) this.twist();
    return temper(this.state[this.next++]);
  }

  /** The next `count` words, as `draw` gives them one by one; a loop over the state takes a third of the time. */
  drawMany(out: Int32Array, count: number): void {
    const { state } = this;
    for (let done = 0; done < count; ) {
      if (this.left === 1) {
        this.twist();
        this.left++;
      }
      const some = Math.min(count - done, this.left - 1);
      const { next } = this;
      for (let i = 0; i < some; i++) out[done + i] = temper(state[next + i]);
      this.left -= some;
      this.next = next + some;
      done += some;
    }
  }

  private twist(): void {
    const s = this.state;
    let k = 0;
    for (; k < MT_WORDS - MIDDLE; k++) s[k] = s[k + MIDDLE] ^ mix(s[k], s[k + 1]);
    for (; k < MT_WORDS - 1; k++) s[k] = s[k + MIDDLE - MT_WORDS] ^ mix(s[k], s[k + 1]);
    s[k] = s[MIDDLE - 1] ^ mix(s[k], s[0]);
    this.left = MT_WORDS;
    this.next = 0;
  }
}

function temper(word: number): number {
  let y = word | 0;
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >>> 18);
}

/** The high bit of one word and the low 31 of the next, times the twist matrix. */
function mix(high: number, low: number): number {
  return (((high & 0x80000000) | (low & 0x7fffffff)) >>> 1) ^ (-(low & 1) & 0x9908b0df);
}
