import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { platform } from "#platform";
import { heap } from "../../src/kernels/heap.ts";
import { ARGUMENTS, compile } from "../../src/kernels/wasm/module.ts";
import { type Cut, type Kernel, Pool, setThreadCount, threadCount } from "../../src/kernels/wasm/threads.ts";
import { EnvironmentError } from "../../src/util/errors.ts";
import { isReference, tested } from "./both.ts";

const before = threadCount();
afterAll(() => setThreadCount(before));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/*
 * The kernel copies one item n times to its own place, so that n says how long it takes. Part 0 is the dispatcher's, about 100 ms, in which a worker takes part 1
 * unless the machine is very busy: then it is tried again.
 */
const LONG = 1e7;
const NEVER = 100 * LONG;
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

  function run(n: number, nStep: number, sourceStep: number): void {
    heap.i32.set([item, item], ARGUMENTS / 4);
    cut.steps[N] = nStep;
    cut.steps[SOURCE] = sourceStep;
    pool.run(0, [4, 0, 1, n, 0, 0, 0, ARGUMENTS, 0], cut);
  }

  beforeEach(async () => {
    const module = compile(tested.simd === "relaxed" ? "relaxed" : "base");
    const { exports } = new WebAssembly.Instance(module, { env: { memory: heap.memory } });
    pool = new Pool(module, [exports.copyStepped as Kernel], ["copyStepped"]);
    setThreadCount(2);
    start.mockClear();
    run(1, 0, 0);
    await sleep(300);
  });

  /** What the worker's part 1 makes of the kernel, and after how many ms. */
  function failing(nStep: number, sourceStep: number): [error: unknown, ms: number] {
    for (let attempt = 0; attempt < 5; attempt++) {
      const started = performance.now();
      try {
        run(LONG, nStep, sourceStep);
      } catch (error) {
        if (error instanceof EnvironmentError) return [error, performance.now() - started];
      }
    }
    throw new Error("the worker never took a part");
  }

  it("whose part fails makes the kernel throw, and goes on", () => {
    const [error] = failing(1 - LONG, 4e9);
    expect(String(error)).toContain("copyStepped failed: RuntimeError: memory access out of bounds");
    start.mockClear();
    run(1, 0, 0);
    expect(start).not.toHaveBeenCalled();
  });

  it("that does not finish its part makes the kernel throw within seconds, and is replaced", () => {
    const [error, ms] = failing(NEVER, 0);
    expect(String(error)).toContain("copyStepped did not end within");
    expect(ms).toBeLessThan(4000);
    start.mockClear();
    run(1, 0, 0);
    expect(start).toHaveBeenCalledTimes(1);
  });

  it("that is ended from outside makes the next kernel throw, and is replaced", async () => {
    start.mock.results[0].value();
    await sleep(100);
    expect(() => run(1, 0, 0)).toThrow("a worker thread of the kernels: it exited with code 1");
    run(1, 0, 0);
    expect(start).toHaveBeenCalledTimes(2);
  });

  it("that is stopped leaves its parts to the others", () => {
    start.mock.results[0].value();
    run(1000, 0, 0);
  });
});
