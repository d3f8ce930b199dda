import { expect, test, vi } from "vitest";

test("02-train trains on as many images as it is told, says how far it is, and tests", async () => {
  const printed: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((text) => void printed.push(text));
  const before = process.argv;
  process.argv = ["node", "02-train.js", "3000"];
  try {
    await import("../../examples/02-train.ts");
  } finally {
    process.argv = before;
    log.mockRestore();
  }
  expect(printed[0]).toContain("(1): BatchNorm2d(16, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)");
  expect(printed[1]).toContain("training on 3000 images");
  const losses = printed.slice(2, -1).map((line) => /^step +(\d+) of 30 {2}loss ([\d.]+) {2}[\d.]+ s$/.exec(line));
  expect(losses.map((line) => line?.[1])).toEqual(["30"]);
  const accuracy = /^\ntest accuracy ([\d.]+) % after [\d.]+ s$/.exec(printed.at(-1) ?? "")?.[1];
  expect(Number(accuracy)).toBeGreaterThan(85);
  expect(Number(accuracy)).toBeLessThan(99);
}, 60_000);
