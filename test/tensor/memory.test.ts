import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  ArgumentError,
  memoryUsage,
  OutOfMemoryError,
  ones,
  ReleasedTensorError,
  setMemoryLimit,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from "evenkeel";
import { afterEach, describe, expect, it } from "vitest";
import { Heap } from "../../src/kernels/heap.ts";
import { Generator } from "../../src/tensor/generator.ts";
import { closeScope, leaveScope, openScope } from "../../src/tensor/memory.ts";

const count = () => memoryUsage().tensors;
const isReleased = (x: Tensor) => !x.storage.isLive;

describe("a tensor's memory", () => {
  it("is counted, and given back once by dispose, for all views", () => {
    const before = memoryUsage();
    const x = zeros([256]);
    const view = x.reshape([16, 16]);
    expect(memoryUsage().program - before.program).toBe(1024);
    x.dispose();
    x.dispose();
    expect(isReleased(view)).toBe(true);
    expect(memoryUsage().program).toBe(before.program);
  });

  it("is an error to use once released, which says what to do", () => {
    const x = ones([1]);
    x.dispose();
    for (const use of [() => x.add(1), () => x.toArray(), () => x.item(), () => x.t().sum(), () => x.keep()])
      expect(use).toThrow(ReleasedTensorError);
    expect(() => x.add(1)).toThrow(/released when the step it was made in ended: .*keep\(\)/);
  });

  it("goes with the scope that made it, unless kept or pinned by a gradient", () => {
    const scope = openScope("iteration");
    const x = ones([2]);
    const kept = ones([2]).keep();
    const leaf = tensor([1, 2], { requiresGrad: true }).keep();
    leaf.mul(x).sum().backward();
    expect(memoryUsage().scoped).toBeGreaterThan(0);
    closeScope(scope);
    expect(isReleased(x)).toBe(true);
    expect(kept.toArray()).toEqual([1, 1]);
    expect(leaf.grad?.toArray()).toEqual([1, 1]);
    const { grad } = leaf;
    leaf.releaseGrad();
    expect(isReleased(grad as Tensor)).toBe(true);
    kept.dispose();
    leaf.dispose();
    expect(memoryUsage().scoped).toBe(0);
  });

  it("closes inner scopes that were left open, and may close twice", () => {
    const before = count();
    const outer = openScope("iteration");
    ones([2]);
    openScope("tidy");
    ones([2]);
    closeScope(outer);
    closeScope(outer);
    expect(count()).toBe(before);
  });

  it("of the last iteration stays readable until another loop begins there", () => {
    const last = openScope("iteration");
    const loss = ones([2]);
    leaveScope(last);
    expect(loss.toArray()).toEqual([1, 1]);
    const next = openScope("iteration");
    expect(isReleased(loss)).toBe(true);
    closeScope(next);
  });

  it("is found by the collector where nothing else does it", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const before = memoryUsage().program;
    (() => {
      for (let i = 0; i < 1200; i++) zeros([1024]);
      for (let i = 0; i < 6; i++) zeros([2 ** 23]);
    })();
    // The newest are held: 512, or 128 MiB.
    const most = before + 600 * 4096 + 2 ** 27;
    for (let i = 0; i < 50 && memoryUsage().program > most; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(memoryUsage().program).toBeLessThan(most);
  });
});

describe("tidy", () => {
  it("leaves what it returns but did not make where it was", () => {
    const x = ones([2]);
    const iteration = openScope("iteration");
    expect(tidy(() => x)).toBe(x);
    const mine = tidy(() => tidy(() => x.add(1)));
    closeScope(iteration);
    expect(isReleased(x)).toBe(false);
    expect(isReleased(mine)).toBe(true);
  });

  it("releases all but what it returns, however nested, and what is kept", () => {
    const before = count();
    let temporary: Tensor | undefined;
    let kept: Tensor | undefined;
    const result = tidy(() => {
      temporary = ones([3]);
      kept = ones([1]).keep();
      const made = temporary.add(1);
      return { a: made, list: [temporary.mul(3), new Map([["k", temporary.mul(4)]])], n: 5 };
    });
    expect(isReleased(temporary as Tensor)).toBe(true);
    expect(result.a.toArray()).toEqual([2, 2, 2]);
    expect((result.list[0] as Tensor).toArray()).toEqual([3, 3, 3]);
    expect((result.list[1] as Map<string, Tensor>).get("k")?.toArray()).toEqual([4, 4, 4]);
    expect(result.n).toBe(5);
    expect(count()).toBe(before + 4);
    kept?.dispose();
  });

  it("nests: what an inner one returns belongs to the outer one", () => {
    const before = count();
    let inner: Tensor | undefined;
    tidy(() => {
      inner = tidy(() => ones([2]).add(1));
      expect(inner.toArray()).toEqual([2, 2]);
    });
    expect(isReleased(inner as Tensor)).toBe(true);
    expect(count()).toBe(before);
  });

  it("cleans up after an error, and refuses async functions", () => {
    const before = count();
    expect(() =>
      tidy(() => {
        ones([2]);
        throw new RangeError("own");
      }),
    ).toThrow(RangeError);
    expect(() => tidy(async () => ones([2]))).toThrow(ArgumentError);
    expect(count()).toBe(before);
  });

  it("holds a whole training step", () => {
    const w = tensor([1, 2], { requiresGrad: true });
    const before = count();
    for (let i = 0; i < 3; i++) tidy(() => w.mul(w).sum().backward());
    expect(w.grad?.toArray()).toEqual([6, 12]);
    expect(count()).toBe(before + 1);
    w.releaseGrad();
  });
});

describe("the heap's blocks", () => {
  it("are aligned, of the size asked for or up to an eighth more, and lie apart", () => {
    const heap = new Heap();
    const generator = new Generator(0);
    const blocks: [pointer: number, bytes: number][] = [];
    for (let i = 0; i < 600; i++) {
      const bytes = Math.floor(2 ** (generator.uniform64() * 18));
      const before = heap.usage().used;
      const pointer = heap.alloc(bytes);
      const taken = heap.usage().used - before;
      expect(pointer % 64).toBe(0);
      expect(taken).toBeGreaterThanOrEqual(bytes);
      expect(taken).toBeLessThanOrEqual(Math.max((bytes * 9) / 8, bytes + 63, 64));
      blocks.push([pointer, bytes]);
      if (i % 3 === 2) {
        const [[freed]] = blocks.splice(generator.random32() % blocks.length, 1);
        heap.free(freed);
        expect(() => heap.free(freed)).toThrow("not the address of a block in use");
      }
    }
    blocks.sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < blocks.length; i++) {
      expect(blocks[i - 1][0] + blocks[i - 1][1]).toBeLessThanOrEqual(blocks[i][0]);
    }
    expect(heap.usage().blocks).toBe(blocks.length);
    for (const [pointer] of blocks) heap.free(pointer);
    expect(heap.usage()).toMatchObject({ used: 0, blocks: 0 });
  });

  it.each([2 ** 32 - 1, 2 ** 32, 2 ** 32 + 100, 2 ** 34, 2 ** 50])(
    "are refused where %i bytes are asked for",
    (bytes) => {
      const heap = new Heap();
      expect(() => heap.alloc(bytes)).toThrow(OutOfMemoryError);
      expect(heap.usage().blocks).toBe(0);
    },
  );
});

describe("the limit", () => {
  afterEach(() => setMemoryLimit(2 ** 32));

  it("is an error that says who holds how much and what to do", () => {
    const kept = zeros([2 ** 18]).keep();
    setMemoryLimit(memoryUsage().reserved + 2 ** 16);
    let error: unknown;
    try {
      zeros([memoryUsage().reserved / 4 + 2 ** 20]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect(String(error)).toMatch(/MiB do not fit in the tensor heap \(limit \d+ MiB\)/);
    expect(String(error)).toMatch(
      /\d+ tensors of \d+\.\d MiB as parameters, buffers, gradients, optimizer state or kept/,
    );
    expect(String(error)).toMatch(/made outside any loop/);
    expect(String(error)).toMatch(/use a smaller batch, evaluate inside tidy/);
    kept.dispose();
  });

  it("names the running iteration", () => {
    const scope = openScope("iteration");
    zeros([100]);
    setMemoryLimit(memoryUsage().reserved);
    expect(() => zeros([memoryUsage().reserved / 4 + 1])).toThrow(/1 tensors of 0.0 MiB in the running iteration/);
    closeScope(scope);
  });

  it("must be a number of bytes", () => {
    expect(() => setMemoryLimit(0)).toThrow(ArgumentError);
    expect(() => setMemoryLimit(2 ** 33)).toThrow(ArgumentError);
  });
});
