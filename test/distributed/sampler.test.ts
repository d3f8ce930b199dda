import { data, Generator, tensor } from "evenkeel";
import { type Communicator, DistributedSampler, ShardedDataset } from "evenkeel/distributed";
import { describe, expect, test } from "vitest";
import { readGolden } from "../golden/read.ts";

interface Case {
  name: string;
  length: number;
  numReplicas: number;
  options: { shuffle: boolean; seed: number; dropLast: boolean };
  epochs: number[][][];
}

test.each(readGolden<Case>("sampler"))("PyTorch's indices: $name", ({ length, numReplicas, options, epochs }) => {
  const found = [0, 3].map((epoch) =>
    Array.from({ length: numReplicas }, (_, rank) => {
      const sampler = new DistributedSampler({ length }, { numReplicas, rank, ...options });
      sampler.setEpoch(epoch);
      const indices = [...sampler];
      expect(indices.length).toBe(sampler.length);
      return indices;
    }),
  );
  expect(found).toEqual(epochs);
});

test("there is no such rank", () => {
  expect(() => new DistributedSampler({ length: 4 }, { numReplicas: 2, rank: 2 })).toThrow(
    "Invalid rank 2, rank should be in the interval [0, 1]",
  );
});

describe("ShardedDataset", () => {
  /** One rank of several that always agree. */
  const asRank = (rank: number, worldSize: number) =>
    ({ rank, worldSize, allReduce: (x: unknown) => x }) as unknown as Communicator;

  async function batchesOf(rank: number, worldSize: number, set: data.Dataset<unknown, unknown>) {
    const shared = new ShardedDataset(set, { communicator: asRank(rank, worldSize) });
    const generator = new Generator(3);
    const found: unknown[] = [];
    for await (const batch of new data.DataLoader(shared, { batchSize: 5, shuffle: true, generator })) {
      found.push(JSON.parse(JSON.stringify(batch, (_, value) => (value?.toArray ? value.toArray() : value))));
    }
    return found as number[][][];
  }

  test("the ranks' shares of a batch, one after the other, are the batch of one process", async () => {
    const set = new data.TensorDataset(tensor([...Array(12).keys()]), tensor([...Array(12).keys()]).mul(-1));
    const alone = await batchesOf(0, 1, set);
    const ranks: number[][][][] = [];
    for (const rank of [0, 1, 2]) ranks.push(await batchesOf(rank, 3, set));
    const joined = alone.map((_, b) => [0, 1].map((part) => ranks.flatMap((batches) => batches[b][part])));
    expect(joined).toEqual(alone);
    expect(ranks.map((batches) => batches.map(([x]) => x.length))).toEqual([
      [1, 1, 0],
      [2, 2, 1],
      [2, 2, 1],
    ]);
  });

  test("samples are collated where the data set makes no batches, also for a rank that has none", async () => {
    const set = { length: 6, get: (i: number) => ({ x: tensor([i, i]), label: i }) };
    const [last] = (await batchesOf(0, 2, set)).slice(-1) as unknown as [{ x: number[][]; label: number[] }];
    expect(last).toEqual({ x: [], label: [] });
  });
});
