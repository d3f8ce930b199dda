import { beforeAll, describe, expect, test } from "vitest";
import { lacking, launchers, resultOf } from "./launcher.ts";

/** What programs/curve.mjs writes of one way to train. */
interface Curve {
  losses: number[];
  /** running means and variances, of every rank */
  statistics: number[][][];
  weights: number[][][];
}

// 35 samples. 12, 12 and 11: even shares for 2, 3 and 4 ranks, but of the last batch. Four of 8, and 3: uneven for 3 ranks, and of the last batch one of 4 ranks has none.
const WAYS = [
  { batchSize: 12, sync: true, steps: 100 },
  { batchSize: 8, sync: true, steps: 100 },
  { batchSize: 12, sync: false, steps: 20 },
];

/** The largest difference, relative to the largest number. */
function difference(a: readonly number[], b: readonly number[]): number {
  const scale = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]))) / scale;
}

describe.skipIf(lacking)(`training on k ranks is training on one ${lacking}`, () => {
  let alone: Curve[];
  beforeAll(async () => {
    alone = await resultOf<Curve[]>(1, "curve", [JSON.stringify(WAYS)]);
  });

  test.each([2, 3, 4])("%i ranks: losses, running statistics and weights over 100 steps", async (k) => {
    const together = await resultOf<Curve[]>(k, "curve", [JSON.stringify(WAYS)]);
    for (const [way, { losses, statistics, weights }] of together.entries()) {
      const { sync } = WAYS[way];
      const one = alone[way];
      const apart = difference(losses, one.losses);
      // Batch norm by each rank's own samples is another network.
      if (sync) expect(apart).toBeLessThan(1e-5);
      else expect(apart).toBeGreaterThan(1e-2);
      for (const [i, ranks] of statistics.entries()) {
        if (sync) expect(difference(ranks[0], one.statistics[i][0])).toBeLessThan(1e-5);
        // the same bits everywhere
        if (sync) for (const each of ranks) expect(each).toEqual(ranks[0]);
      }
      for (const ranks of weights) for (const each of ranks) expect(each).toEqual(ranks[0]);
    }
  });

  test.skipIf(!launchers.includes("mpiexec.hydra"))("2 ranks of MPICH", async () => {
    const ways = WAYS.slice(0, 1);
    const [{ losses }] = await resultOf<Curve[]>(2, "curve", [JSON.stringify(ways)], ["--mpi", "mpiexec.hydra"]);
    expect(difference(losses, alone[0].losses)).toBeLessThan(1e-5);
  });
});
