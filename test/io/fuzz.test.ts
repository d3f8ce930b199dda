import { expect, test } from "vitest";
import { caseOf, judge, sounds } from "./fuzz/run.ts";

/** The short version of npm run fuzz: see docs/reliability.md. */
test("1,500 damaged files are read or refused, in bounded time and memory", async () => {
  const seeds = await sounds("test/golden");
  const wrong: string[] = [];
  const count = { read: 0, refused: 0, WRONG: 0 };
  for (let index = 0; index < 1500; index++) {
    const { result, why } = await judge(await caseOf(seeds, 7, index));
    count[result]++;
    if (result === "WRONG") wrong.push(`npm run fuzz -- --seed 7 --case ${index}: ${why}`);
  }
  expect(wrong).toEqual([]);
  expect(count.refused).toBeGreaterThan(700);
  expect(count.read).toBeGreaterThan(50);
});
