import { describe, expect, test } from "vitest";
import { judge, toGrid } from "../../src/study/report/judge.ts";
import type { NormKind, StudyResults, SweepExperiment } from "../../src/study/results.ts";
import { fixture } from "./fixture.ts";

function speed(plain: number[], batch: number[]) {
  const results = fixture();
  const step = plain.map((_, i) => (i + 1) * 100);
  for (const run of results.experiments.speed!.runs) {
    run.curve = { step, testAccuracy: run.norm === "batch" ? batch : plain };
  }
  return judge(results).speed!;
}

function sweep(
  name: "init" | "learningRate" | "batchSize",
  rows: Partial<Record<NormKind, (number | null)[]>>,
  values: number[],
) {
  const results = fixture();
  const experiment = results.experiments[name]!;
  experiment.values = values;
  experiment.norms = Object.keys(rows) as NormKind[];
  experiment.runs = Object.entries(rows).flatMap(([norm, row]) =>
    row.map((testAccuracy, i) => ({
      norm: norm as NormKind,
      value: values[i],
      seed: 0,
      testAccuracy,
      diverged: testAccuracy === null,
    })),
  );
  return judge(results);
}

function seeds(none: [number, number][], batch: [number, number][]) {
  const results = fixture();
  results.experiments.generalization!.runs = Object.entries({ none, batch }).flatMap(([norm, runs]) =>
    runs.map(([trainAccuracy, testAccuracy], seed) => ({ norm: norm as NormKind, seed, trainAccuracy, testAccuracy })),
  );
  return judge(results).generalization!;
}

describe("training is faster", () => {
  test("holds, holds in part or fails by the share of the plain network's steps", () => {
    const plain = [0.2, 0.5, 0.8, 0.9];
    expect(speed(plain, [0.6, 0.91, 0.93, 0.95])).toMatchObject({
      verdict: "holds",
      batchStep: 200,
      plainBestStep: 400,
      share: 0.5,
    });
    expect(speed(plain, [0.3, 0.8, 0.9, 0.92])).toMatchObject({ verdict: "part", share: 0.75 });
    expect(speed(plain, [0.2, 0.5, 0.7, 0.9])).toMatchObject({ verdict: "fails", share: 1 });
    expect(speed(plain, [0.2, 0.4, 0.6, 0.7])).toMatchObject({ verdict: "fails", share: null, batchStep: null });
  });

  test("gives no share where the plain network has not begun to learn", () => {
    expect(speed([0.11, 0.11, 0.12], [0.3, 0.9, 0.95])).toMatchObject({
      verdict: "holds",
      plainLearned: false,
      share: null,
    });
    expect(speed([0.11, 0.11, 0.12], [0.1, 0.3, 0.5])).toMatchObject({ verdict: "part", share: null });
    expect(speed([0.11, 0.11, 0.12], [0.1, 0.1, 0.13])).toMatchObject({ verdict: "fails", share: null });
  });

  test("looks the targets up and counts the cost of a step", () => {
    const found = speed([0.2, 0.5, 0.8, 0.9], [0.6, 0.91, 0.93, 0.96]);
    expect(found.targets).toEqual([
      { accuracy: 0.5, plain: 200, batch: 100 },
      { accuracy: 0.8, plain: 300, batch: 200 },
      { accuracy: 0.9, plain: 400, batch: 200 },
      { accuracy: 0.95, plain: null, batch: 400 },
      { accuracy: 0.97, plain: null, batch: null },
    ]);
    expect(found.stepCost).toBeCloseTo(4.2 / 3.1, 12);
  });

  test("is open without one of the two networks", () => {
    const results = fixture();
    results.experiments.speed!.runs.pop();
    expect(judge(results).speed!.verdict).toBe("open");
  });

  test("averages seeds over the steps that all of them have", () => {
    const results = fixture();
    const [run] = results.experiments.speed!.runs;
    const at = (step: number[], testAccuracy: number[]) => ({ ...run, curve: { step, testAccuracy } });
    results.experiments.speed!.runs = [at([10, 20, 30], [0.2, 0.4, 0.6]), at([10, 20], [0.4, 0.8])];
    expect(judge(results).speed!.plain).toEqual({
      step: [10, 20],
      accuracy: [expect.closeTo(0.3), expect.closeTo(0.6)],
    });
  });

  test("says so where the unit's input is no steadier with batch norm", () => {
    const results = fixture();
    expect(judge(results).speed!.drift!.verdict).toBe("holds");
    const [plain, batch] = results.experiments.speed!.runs;
    [plain.unit, batch.unit] = [batch.unit, plain.unit];
    expect(judge(results).speed!.drift!.verdict).toBe("fails");
  });
});

describe("initialisation matters less", () => {
  const verdict = (none: (number | null)[], batch: (number | null)[]) =>
    sweep("init", { none, batch }, [0.01, 0.1, 1]).init!.verdict;

  test("asks for more working scales and half the spread", () => {
    expect(verdict([0.1, 0.97, null], [0.95, 0.97, 0.96])).toBe("holds");
    expect(verdict([0.1, 0.97, 0.1], [0.95, 0.97, 0.1])).toBe("part");
    expect(verdict([0.9, 0.97, 0.9], [0.95, 0.97, 0.95])).toBe("part");
    expect(verdict([0.9, 0.97, 0.96], [0.9, 0.97, 0.9])).toBe("fails");
  });

  test("a batch-norm network that works nowhere does not hold, however even it is", () => {
    expect(verdict([0.1, 0.97, 0.1], [0.11, 0.11, 0.11])).toBe("fails");
  });

  test("compares only the scales that both have", () => {
    const found = sweep("init", { none: [0.1, 0.97], batch: [0.95, 0.97, 0.2] }, [0.01, 0.1, 1]).init!;
    expect(found).toMatchObject({
      verdict: "holds",
      compared: { batch: { works: 2, measured: 2 }, plain: { works: 1 } },
    });
    expect(sweep("init", { none: [0.1], batch: [0.95, 0.97] }, [0.01, 0.1]).init!.verdict).toBe("open");
  });
});

describe("larger learning rates work", () => {
  const rates = [0.1, 0.2, 1, 10];
  const found = (none: (number | null)[], batch: (number | null)[]) =>
    sweep("learningRate", { none, batch }, rates).learningRate!;

  test("goes by the factor between the largest rates that work", () => {
    expect(found([0.97, 0.1, null, null], [0.97, 0.97, 0.96, 0.2])).toMatchObject({
      verdict: "holds",
      factor: 10,
      atEdge: false,
    });
    expect(found([0.97, 0.1, 0.1, 0.1], [0.97, 0.97, 0.2, 0.2])).toMatchObject({ verdict: "part", factor: 2 });
    expect(found([0.97, 0.97, 0.1, 0.1], [0.97, 0.97, 0.1, 0.1])).toMatchObject({ verdict: "fails", factor: 1 });
    expect(found([0.97, 0.97, 0.97, 0.1], [0.97, 0.1, 0.1, 0.1])).toMatchObject({ verdict: "fails" });
    expect(found([0.97, 0.97, 0.97, 0.97], [0.97, 0.97, 0.97, 0.97])).toMatchObject({ verdict: "open", atEdge: true });
    expect(found([0.1, 0.1, 0.1, 0.1], [0.97, 0.97, 0.1, 0.1])).toMatchObject({ verdict: "holds", factor: null });
  });
});

describe("it generalizes better", () => {
  test("asks for a difference beyond the seeds' scatter and a gap that is no wider", () => {
    expect(
      seeds(
        [
          [0.99, 0.95],
          [0.99, 0.951],
        ],
        [
          [0.99, 0.97],
          [0.99, 0.972],
        ],
      ).verdict,
    ).toBe("holds");
    expect(
      seeds(
        [
          [0.96, 0.95],
          [0.96, 0.951],
        ],
        [
          [0.999, 0.97],
          [0.999, 0.972],
        ],
      ).verdict,
    ).toBe("part");
    expect(
      seeds(
        [
          [0.99, 0.95],
          [0.99, 0.96],
        ],
        [
          [0.99, 0.96],
          [0.99, 0.952],
        ],
      ).verdict,
    ).toBe("fails");
    expect(
      seeds(
        [
          [0.99, 0.97],
          [0.99, 0.972],
        ],
        [
          [0.95, 0.945],
          [0.95, 0.946],
        ],
      ).verdict,
    ).toBe("fails");
  });

  test("takes differences within pairs of equal seeds", () => {
    const found = seeds(
      [
        [0.99, 0.9],
        [0.99, 0.95],
      ],
      [
        [0.99, 0.92],
        [0.99, 0.98],
      ],
    );
    expect(found.test!.mean).toBeCloseTo(0.025, 12);
    // Differences 0.02 and 0.03: sd 0.00707, over √2.
    expect(found.test!.error).toBeCloseTo(0.005, 12);
    expect(found.norms.get("none")!.test.sd).toBeCloseTo(Math.sqrt(2 * 0.025 ** 2), 12);
  });

  test("is open with one pair", () => {
    expect(
      seeds(
        [[0.99, 0.95]],
        [
          [0.99, 0.97],
          [0.99, 0.97],
        ],
      ),
    ).toMatchObject({ verdict: "open", pairs: 1 });
  });
});

describe("against its relatives", () => {
  const verdict = (batch: number[], group: number[]) =>
    sweep("batchSize", { batch, group }, [2, 32, 128]).batchSize!.verdict;

  test("compares batch norm with group norm at the smallest size and near 32", () => {
    expect(verdict([0.9, 0.98, 0.97], [0.97, 0.978, 0.5])).toBe("holds");
    expect(verdict([0.9, 0.95, 0.97], [0.97, 0.978, 0.97])).toBe("part");
    expect(verdict([0.97, 0.98, 0.97], [0.97, 0.97, 0.97])).toBe("part");
    expect(verdict([0.97, 0.97, 0.97], [0.97, 0.97, 0.97])).toBe("fails");
  });

  test("is open without group norm", () => {
    expect(sweep("batchSize", { batch: [0.9, 0.9] }, [2, 32]).batchSize!.verdict).toBe("open");
  });
});

test("a diverged run counts as chance, and seeds are averaged", () => {
  const experiment = fixture().experiments.init as SweepExperiment;
  const run = { norm: "batch" as const, value: 1, diverged: false };
  const grid = toGrid(
    {
      ...experiment,
      values: [1, 2],
      norms: ["batch"],
      runs: [
        { ...run, seed: 0, testAccuracy: 0.9 },
        { ...run, seed: 1, testAccuracy: null, diverged: true },
      ],
    },
    0.1,
  );
  expect(grid.cells.get("batch")).toEqual([
    { accuracy: 0.5, runs: 2, diverged: 1 },
    { accuracy: null, runs: 0, diverged: 0 },
  ]);
});

test("experiments that were not run have no findings", () => {
  const results: StudyResults = { ...fixture(), experiments: {} };
  expect(judge(results)).toEqual({});
});
