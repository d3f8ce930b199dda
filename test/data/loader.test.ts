import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import {
  arange,
  data,
  Generator,
  manualSeed,
  memoryUsage,
  nn,
  optim,
  rand,
  randn,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden } from "../nn/compare.ts";

interface LoaderCase {
  kind: "loader";
  name: string;
  seed: number;
  length: number;
  batchSize: number;
  shuffle: boolean;
  dropLast: boolean;
  epochs: number[][][];
  after: Golden;
}

/** The numbers from 0, as int64. */
const numbers = (length: number) => new data.TensorDataset(arange(length, { dtype: "int64" }));

async function collect(loader: AsyncIterable<Tensor[]>): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const [x] of loader) batches.push(x.toArray());
  return batches;
}

describe("orders are PyTorch's for the same seed", () => {
  const cases = readGolden<LoaderCase>("random").filter(({ kind }) => kind === "loader");
  test.each(cases)("$name, seed $seed", async ({ seed, length, batchSize, shuffle, dropLast, epochs, after }) => {
    const set = numbers(length);
    manualSeed(seed);
    const loader = new data.DataLoader(set, { batchSize, shuffle, dropLast });
    for (const epoch of epochs) {
      expect(loader.length).toBe(epoch.length);
      expect(await collect(loader)).toEqual(epoch);
    }
    expectGolden(rand([3]), after, "the generator afterwards", 0);
  });

  test("every sample comes once, whatever the sizes", async () => {
    const options = fc.record({
      length: fc.nat(40),
      batchSize: fc.integer({ min: 1, max: 50 }),
      shuffle: fc.boolean(),
      dropLast: fc.boolean(),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(options, async ({ length, batchSize, shuffle, dropLast, seed }) => {
        const loader = new data.DataLoader(numbers(length), {
          batchSize,
          shuffle,
          dropLast,
          generator: new Generator(seed),
        });
        const batches = await collect(loader);
        expect(batches).toHaveLength(loader.length);
        const sizes = batches.map((indices) => indices.length);
        expect(sizes.slice(0, dropLast ? undefined : -1).every((size) => size === batchSize)).toBe(true);
        const seen = batches.flat();
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen).toHaveLength(dropLast ? length - (length % batchSize) : length);
        expect(seen.every((i) => i >= 0 && i < length)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test("a generator of its own leaves the default one alone", async () => {
    manualSeed(0);
    const before = randn([2]).toArray();
    manualSeed(0);
    const make = () => new data.DataLoader(numbers(10), { shuffle: true, batchSize: 10, generator: new Generator(42) });
    const [first, second] = [await collect(make()), await collect(make())];
    expect(first).toEqual(second);
    expect(first[0]).not.toEqual([...Array(10).keys()]);
    expect(randn([2]).toArray()).toEqual(before);
  });

  test("a sampler of one's own", async () => {
    const sampler = {
      length: 3,
      *[Symbol.iterator]() {
        yield* [4, 0, 4];
      },
    };
    expect(await collect(new data.DataLoader(numbers(5), { sampler, batchSize: 2 }))).toEqual([[4, 0], [4]]);
    expect(() => new data.DataLoader(numbers(5), { sampler, shuffle: true })).toThrow(
      "sampler option is mutually exclusive with shuffle",
    );
  });

  test.each([0, -1, 1.5])("a batch of %d is refused", (batchSize) => {
    expect(() => new data.DataLoader(numbers(5), { batchSize })).toThrow(
      `batch_size should be a positive integer value, but got batch_size=${batchSize}`,
    );
  });
});

describe("data sets", () => {
  test("of tensors: rows of all of them, in any layout", async () => {
    const set = new data.TensorDataset(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]).t(),
      tensor([7n, 8n, 9n]),
      tensor([true, false, true]),
    );
    const [x, y, z] = set.getBatch([2, 0]);
    expect([x.toArray(), y.toArray(), z.toArray()]).toEqual([
      [
        [3, 6],
        [1, 4],
      ],
      [9, 7],
      [true, true],
    ]);
    expect([y.dtype, z.dtype]).toEqual(["int64", "bool"]);
    expect(set.get(1).map((part) => part.toArray())).toEqual([[2, 5], 8, false]);
    expect(() => set.get(3)).toThrow("sample 3 does not exist: the data set has 3 samples, numbered from 0");
    expect(() => set.getBatch([0, -1])).toThrow("sample -1 does not exist");
    expect(() => new data.TensorDataset(zeros([2]), zeros([3]))).toThrow("Size mismatch between tensors");
    expect(() => new data.TensorDataset()).toThrow("a TensorDataset needs at least one tensor");
    expect(() => new data.TensorDataset(zeros([]))).toThrow("Size mismatch between tensors");
  });

  test("subsets, of subsets too", async () => {
    const some = new data.Subset(numbers(10), [9, 1, 5]);
    const fewer = new data.Subset(some, [2, 0]);
    expect(await collect(new data.DataLoader(fewer, { batchSize: 2 }))).toEqual([[5, 9]]);
    expect(((await fewer.get(1)) as Tensor[])[0].item()).toBe(9);
    expect(() => new data.Subset(some, [3])).toThrow("sample 3 does not exist");
    expect(() => fewer.get(2)).toThrow("sample 2 does not exist");
  });

  test("without whole batches are collated, asynchronous ones too", async () => {
    const set = {
      length: 3,
      async get(i: number) {
        await Promise.resolve();
        return { x: tensor([i, i]), y: i, name: `n${i}` };
      },
    };
    const seen = [];
    for await (const batch of new data.DataLoader(set, { batchSize: 2 })) {
      const { x, y, name } = batch as unknown as { x: Tensor; y: Tensor; name: string[] };
      seen.push([x.toArray(), y.toArray(), name]);
    }
    expect(seen).toEqual([
      [
        [
          [0, 0],
          [1, 1],
        ],
        [0, 1],
        ["n0", "n1"],
      ],
      [[[2, 2]], [2], ["n2"]],
    ]);
  });

  test("a collate function of one's own", async () => {
    const loader = new data.DataLoader(numbers(4), {
      batchSize: 2,
      collateFn: (samples) => samples.map(([x]) => x).reverse(),
    });
    const seen = [];
    for await (const batch of loader) seen.push(batch.map((x) => x.item()));
    expect(seen).toEqual([
      [1, 0],
      [3, 2],
    ]);
  });

  test("an error in the data set comes out of the loop", async () => {
    const set = {
      length: 2,
      get(): Tensor {
        throw new Error("disk on fire");
      },
    };
    await expect(collect(new data.DataLoader(set as never))).rejects.toThrow("disk on fire");
  });
});

describe("collating", () => {
  test.each<[string, data.Collatable[], unknown]>([
    ["whole numbers", [1, 2], ["int64", [1, 2]]],
    ["numbers", [1.5, 2], ["float64", [1.5, 2]]],
    ["bigints", [1n, 2n], ["int64", [1, 2]]],
    ["booleans", [true, false], ["bool", [true, false]]],
  ])("%s", (_, samples, expected) => {
    const made = data.defaultCollate(samples) as Tensor;
    expect([made.dtype, made.toArray()]).toEqual(expected);
  });

  test("what does not go together is refused", () => {
    expect(() => data.defaultCollate([[1], [1, 2]])).toThrow("each element in list of batch should be of equal size");
    expect(() => data.defaultCollate([zeros([2]), zeros([3])])).toThrow("stack expects each tensor to be equal size");
    expect(() => data.defaultCollate([null as never])).toThrow(
      "batch must contain tensors, numbers, arrays or objects",
    );
  });
});

describe("an iteration is a scope of memory", () => {
  const held = () => {
    const { scoped, program } = memoryUsage();
    return scoped + program;
  };
  const kept: Tensor[] = [];
  afterEach(() => {
    for (const x of kept.splice(0)) x.dispose();
  });

  test("what it made goes when the next begins, but for what is kept", async () => {
    const loader = new data.DataLoader(numbers(4));
    const made: Tensor[] = [];
    for await (const [x] of loader) {
      if (made.length > 0) expect(() => made[0].item()).toThrow("this tensor's memory was released");
      const y = x.mul(2);
      made.push(y);
      if (y.item() === 2) kept.push(y.keep());
    }
    expect(kept[0].item()).toBe(2);
    expect(() => made[0].item()).toThrow("call keep() on it to hold it longer");
  });

  test("the last one's can be read after the loop, until another begins", async () => {
    const loader = new data.DataLoader(numbers(3));
    let last = zeros([]);
    for await (const [x] of loader) last = x.add(10);
    expect(last.toArray()).toEqual([12]);
    for await (const _ of loader) break;
    expect(() => last.toArray()).toThrow("released");
  });

  test("a loop that is left early, by break, return or error, can be read too, and the next loop is whole", async () => {
    const loader = new data.DataLoader(numbers(5), { batchSize: 2 });
    let seen = zeros([]);
    for await (const [x] of loader) {
      seen = x.add(1);
      break;
    }
    expect(seen.toArray()).toEqual([1, 2]);
    const first = async () => {
      for await (const [x] of loader) return x.mul(3);
      return zeros([]);
    };
    expect((await first()).toArray()).toEqual([0, 3]);
    await expect(
      (async () => {
        for await (const _ of loader) throw new Error("stop");
      })(),
    ).rejects.toThrow("stop");
    expect(await collect(loader)).toEqual([[0, 1], [2, 3], [4]]);
  });

  test("loops in loops: the inner one releases its own", async () => {
    const [outer, inner] = [new data.DataLoader(numbers(2)), new data.DataLoader(numbers(3))];
    for await (const [x] of outer) {
      const y = x.add(100);
      let sum = 0;
      for await (const [z] of inner) sum += z.add(y).item();
      expect(sum).toBe(3 * y.item() + 3);
      expect(x.item() + 100).toBe(y.item());
    }
  });

  test("what existed before the loop stays, what is made after belongs to the program", async () => {
    const before = tensor([1, 2]);
    for await (const _ of new data.DataLoader(numbers(3))) before.add(1);
    const after = before.mul(2);
    for await (const _ of new data.DataLoader(numbers(3)));
    expect([before.toArray(), after.toArray()]).toEqual([
      [1, 2],
      [2, 4],
    ]);
  });

  test("training with momentum holds a flat line over epochs", async () => {
    const model = new nn.Sequential(new nn.Linear(8, 32), new nn.BatchNorm1d(32), new nn.ReLU(), new nn.Linear(32, 1));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
    const set = new data.TensorDataset(randn([64, 8]), randn([64, 1]));
    const loader = new data.DataLoader(set, { batchSize: 16, shuffle: true });
    const lines: number[] = [];
    for (let epoch = 0; epoch < 6; epoch++) {
      for await (const [x, y] of loader) {
        optimizer.zeroGrad();
        const loss = model.forward(x).sub(y).square().mean();
        loss.backward();
        optimizer.step();
      }
      model.eval();
      for await (const [x] of loader) tidy(() => void model.forward(x));
      model.train();
      const { pinned } = memoryUsage();
      lines.push(pinned + held());
    }
    expect(new Set(lines.slice(1)).size).toBe(1);
  });
});
