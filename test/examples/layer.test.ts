import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";

const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]\d+)?/g;

/** Lines without what TypeScript and Python write differently: runningMean and running_mean, true and True, the name of the error. */
function lines(text: string): string[] {
  return text
    .toLowerCase()
    .replaceAll("_", "")
    .replace(/^(shape|value)error/m, "error")
    .trim()
    .split("\n");
}

test("01-layer prints what its PyTorch half prints, numbers to four decimals", async () => {
  const printed: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((...values) => void printed.push(values.join(" ")));
  await import("../../examples/01-layer.ts");
  log.mockRestore();

  // 01-layer.txt is the output of python3 examples/01-layer.py with PyTorch 1.13.
  const expected = lines(readFileSync("test/examples/01-layer.txt", "utf8"));
  const found = lines(printed.join("\n"));
  expect(found.at(-1)).toBe(`${expected.pop()}: use batchnorm1d for [n, c] or [n, c, l]`);
  found.pop();

  const frame = (all: string[]) => all.map((line) => line.replace(NUMBER, "#").replace(/\s+/g, " "));
  expect(frame(found)).toEqual(frame(expected));
  const numbers = (all: string[]) => all.flatMap((line) => [...line.matchAll(NUMBER)].map(Number));
  const wanted = numbers(expected);
  // 1.5e-4: a last bit of a random number may tip the fourth decimal.
  numbers(found).forEach((number, i) => {
    expect(Math.abs(number - wanted[i]), `number ${i}`).toBeLessThan(1.5e-4);
  });
});
