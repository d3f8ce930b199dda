import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { platform } from "#platform";
import { heap } from "../../src/kernels/heap.ts";
import { ARGUMENTS, compile } from "../../src/kernels/wasm/module.ts";
import { type Cut, type Kernel, Pool, setThreadCount, threadCount } from "../../src/kernels/wasm/threads.ts";
import { CONTROL, MOST_PARTS } from "../../src/kernels/wasm/worker-script.ts";
import { EnvironmentError } from "../../src/util/errors.ts";
import { isReference, tested } from "./both.ts";

const before = threadCount();
afterAll(() => setThreadCount(before));

/*
 * The kernel copies one item n times to its own place, so that n says how long it takes: NEVER, more than 5 s. Part 0 is the dispatcher's, which waits
 * before it where the worker has to take part 1.
 */
const NEVER = 1e9;
const N = 3;
const SOURCE = 7;

describe.skipIf(isReference)("a worker of the pool", () => {
  const item = heap.alloc(64);
  const cut: Cut = {
    items: 2,
    total: 2,
    block: 1,
    scratch: 8,
    scratchAt: heap.alloc(4096),
    scratchBytes: 1024,
    steps: new Float64Array(24),
  };
  const start = vi.spyOn(platform, "startWorker");
  let pool: Pool;
  let waits = false;
  let waited = 0;

  /** Looks into the pool. */
  const control = (at: number) => Atomics.load(Reflect.get(pool, "control") as Int32Array, at);
  const asleep = () => vi.waitFor(() => expect(control(CONTROL.asleep)).toBe(1), { timeout: 20_000 });

  function run(n: number, nStep: number, sourceStep: number): void {
    heap.i32.set([item, item], ARGUMENTS / 4);
    cut.steps[N] = nStep;
    cut.steps[SOURCE] = sourceStep;
    pool.run(0, [4, 0, 1, n, 0, 0, 0, ARGUMENTS, 0], cut);
  }

  beforeEach(async () => {
    const module = compile(tested.simd === "relaxed" ? "relaxed" : "base");
    const { exports } = new WebAssembly.Instance(module, { env: { memory: heap.memory } });
    const kernel = (...args: number[]) => {
      const started = performance.now();
      while (waits && (control(CONTROL.open) & MOST_PARTS) > 0 && performance.now() < started + 20_000);
      waited = performance.now() - started;
      return (exports.copyStepped as Kernel)(...args);
    };
    pool = new Pool(module, [kernel], ["copyStepped"]);
    setThreadCount(2);
    start.mockClear();
    waits = false;
    run(1, 0, 0);
    await asleep();
  });

  /** What the worker's part 1 makes of the kernel, and how many ms after it took it. */
  function failing(nStep: number, sourceStep: number): [error: unknown, ms: number] {
    waits = true;
    const started = performance.now();
    try {
      run(2, nStep, sourceStep);
    } catch (error) {
      if (error instanceof EnvironmentError) return [error, performance.now() - started - waited];
      throw error;
    } finally {
      waits = false;
    }
    throw new Error("the worker did not fail");
  }

  it("whose part fails makes the kernel throw, and goes on", () => {
    const [error] = failing(-1, 4e9);
    expect(String(error)).toContain("copyStepped failed: RuntimeError: memory access out of bounds");
    start.mockClear();
    run(1, 0, 0);
    expect(start).not.toHaveBeenCalled();
  });

  it("that does not finish its part makes the kernel throw within seconds, and is replaced", () => {
    const [error, ms] = failing(NEVER, 0);
    expect(String(error)).toContain("copyStepped did not end within");
    // the pool waits 1 s and four times what part 0 took, which the waiting is a part of
    expect(ms).toBeLessThan(4000 + 4 * waited);
    start.mockClear();
    run(1, 0, 0);
    expect(start).toHaveBeenCalledTimes(1);
  });

  it("that is ended from outside makes the next kernel throw, and is replaced", async () => {
    start.mock.results[0].value();
    await vi.waitFor(() => expect(Reflect.get(pool, "ended")).toBeDefined(), { timeout: 20_000 });
    expect(() => run(1, 0, 0)).toThrow("a worker thread of the kernels: it exited with code 1");
    run(1, 0, 0);
    expect(start).toHaveBeenCalledTimes(2);
  });

  it("that is stopped leaves its parts to the others", () => {
    start.mock.results[0].value();
    run(1000, 0, 0);
  });
});
