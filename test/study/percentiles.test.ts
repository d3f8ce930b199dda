import { expect, it } from "vitest";
import { PercentileRecorder, quantile } from "../../src/study/percentiles.ts";
import { Generator } from "../../src/tensor/generator.ts";

const SHARES = [0.15, 0.5, 0.85];

/** Percentiles as `typical` gives them, of the one unit there is. */
function recorded(values: number[]): number[] {
  const recorder = new PercentileRecorder(1, 1);
  recorder.record(0, values);
  const { p15, p50, p85 } = recorder.typical();
  return [p15[0], p50[0], p85[0]];
}

it("percentiles are those of the sorted values", () => {
  const generator = new Generator(5);
  for (const n of [1, 2, 3, 7, 60, 1000]) {
    for (const steps of [3, 1e9]) {
      const values = Array.from({ length: n }, () => (generator.random32() % steps) - 1);
      const sorted = Float64Array.from(values).sort();
      expect(recorded(values)).toEqual(SHARES.map((share) => quantile(sorted, share)));
    }
  }
});

it("values that are no numbers stand behind all others", () => {
  const values = [2, Number.NaN, 1, 4, 3, 0];
  expect(recorded(values)).toEqual([0.75, 2.5, Number.NaN]);
});

it("of many units the one whose median moves over the middlemost range is typical", () => {
  const recorder = new PercentileRecorder(2, 3);
  recorder.record(0, [0, 0, 0]);
  recorder.record(9, [5, 1, 3]);
  expect(recorder.typical()).toEqual({ layer: 2, unit: 2, step: [0, 9], p15: [0, 3], p50: [0, 3], p85: [0, 3] });
});
