import { existsSync } from "node:fs";
import { join } from "node:path";
import { F, manualSeed, nn, ones, randn, tensor } from "evenkeel";
import { communicator, DistributedDataParallel, globalMean, init } from "evenkeel/distributed";
import { describe, expect, test } from "vitest";
import { folder, lacking, launchers, resultOf, run } from "./launcher.ts";

interface Calls {
  [name: string]: unknown;
  errors: string[];
  batches: { values: number[]; shares: number[] }[];
}

const integers = (sums: number[], max: number[]) => ({ sum: sums, max, min: [1, 2, 3] });

describe.skipIf(lacking)(`several processes ${lacking}`, () => {
  test.each(launchers)("every call, by %s; a run goes on with fewer ranks", async (mpi) => {
    const state = join(folder, `${mpi}.pt`);
    const all = await resultOf<Calls>(3, "calls", ["", state, "first"], ["--mpi", mpi]);
    for (const dtype of ["float32", "float64", "int32", "uint8"]) {
      for (const [op, expected] of Object.entries(integers([6, 9, 12], [3, 4, 5]))) {
        expect(all[`${dtype} ${op}`], `${dtype} ${op}`).toEqual(expected);
      }
    }
    expect(all).toMatchObject({
      "int64 sum": "300000000000000000",
      mean: [2, 3],
      long: true,
      sameBits: true,
      gathered: [0, 1, 2].map((rank) => [[rank], [1]]),
      bool: [[true], [false], [false]],
      broadcast: [7],
      empty: [[0], 3],
      startSum: true,
      synchronizedBits: true,
      // the mean of 11, 22 and 33; and rank 0's own
      noSync: [22, 22, 1].map((value) => [0, 1].map(() => [value, value, value])),
      missing: "CheckpointError: /nowhere/state.pt: the file cannot be read (ENOENT)",
    });
    const [a, b, never] = all.unused as number[][][];
    expect(a).toEqual([[1, 1]]);
    for (const value of b[0]) expect(value).toBeCloseTo(1 / 3);
    expect(never).toBeNull();
    const differ = all.buffersDiffer as number[][];
    expect(differ[0]).not.toEqual(differ[1]);
    expect(all.buffersEqual).toEqual([differ[0], differ[0], differ[0]]);
    expect(all.synchronized).toBeLessThan(1e-5);
    expect(all.errors.map((text) => text.split(":")[0])).toEqual([
      "DTypeError",
      "DTypeError",
      "ArgumentError",
      "ArgumentError",
      "ArgumentError",
      "AutogradError",
    ]);
    expect(all.errors[5]).toContain("never.bias, never.weight");
    expect(all.apart).toContain("the ranks are about to load different batches");
    expect(all.batches.map(({ shares }) => shares)).toEqual([
      [2, 2, 2],
      [2, 2, 2],
    ]);

    const rest = await resultOf<Calls>(2, "calls", ["", state, "resume"], ["--mpi", mpi]);
    expect(rest.extra).toEqual({ limit: 2 });
    expect(rest.batches.map(({ shares }) => shares)).toEqual([
      [3, 3],
      [1, 1],
    ]);
    const seen = [...all.batches, ...rest.batches].flatMap(({ values }) => values);
    expect(seen.sort((x, y) => x - y)).toEqual([...Array(20).keys()]);
  });

  test("a library that is not there is named, and how to install it", async () => {
    const script = `import { init } from "./dist/distributed/index.js"; await init();`;
    const env = { OMPI_COMM_WORLD_SIZE: "2", EVENKEEL_MPI_LIBRARY: "/nowhere/libmpi.so" };
    const { code, output } = await run(process.execPath, ["--input-type=module", "-e", script], { env });
    expect(code).toBe(1);
    expect(output).toContain(
      "EnvironmentError: this process was started by Open MPI's launcher, but its library /nowhere/libmpi.so",
    );
    expect(output).toContain("apt-get install openmpi-bin libopenmpi3");
    expect(existsSync("/nowhere")).toBe(false);
  });
});

describe("one process alone", () => {
  test("is rank 0 of 1, and checks what several check", async () => {
    const alone = await init();
    expect(alone).toBe(communicator());
    expect([alone.rank, alone.worldSize]).toEqual([0, 1]);
    const x = tensor([1, 2]);
    expect(alone.allReduce(x, { op: "mean" }).toArray()).toEqual([1, 2]);
    expect(alone.allReduce_(x)).toBe(x);
    expect(alone.allGather(x).map((each) => each.toArray())).toEqual([[1, 2]]);
    expect(alone.broadcast_(x)).toBe(x);
    expect(alone.startSum_(x).test()).toBe(true);
    alone.barrier();
    expect(() => alone.allReduce(tensor([true]))).toThrow("bool tensors cannot be reduced");
    expect(() => alone.allReduce(x, { op: "median" as "sum" })).toThrow('reduced by "median"');
    expect(() => alone.broadcast_(x, { source: 1 })).toThrow("there is no rank 1");
    expect(() => alone.allReduce_(ones([2, 3]).t())).toThrow("contiguous");
  });

  test("DistributedDataParallel passes through, with PyTorch's keys", () => {
    manualSeed(0);
    const model = new nn.Linear(2, 2);
    const parallel = new DistributedDataParallel(model);
    expect([...parallel.stateDict().keys()]).toEqual(["module.weight", "module.bias"]);
    const x = randn([3, 2]);
    expect(parallel.forward(x).toArray()).toEqual(model.forward(x).toArray());
    parallel.noSync(() => parallel.forward(x).sum().backward());
    expect(model.weight.grad?.shape).toEqual([2, 2]);
    expect(() => new DistributedDataParallel(new nn.ReLU())).toThrow("is not needed when a module doesn't have any");
    expect(() => new DistributedDataParallel(new nn.LazyBatchNorm1d())).toThrow("uninitialized parameters");
    expect(() => new DistributedDataParallel(new nn.Linear(1, 1).requiresGrad_(false))).toThrow("is not needed");
  });

  test("globalMean is the mean", () => {
    const losses = F.mseLoss(tensor([1, 2]), tensor([0, 0]), { reduction: "none" });
    expect(globalMean(losses).item()).toBe(2.5);
    expect(() => globalMean(ones([0]))).toThrow("no rank has a sample");
  });
});
