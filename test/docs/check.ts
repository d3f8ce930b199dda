import { format, inspect } from "node:util";
import { expect } from "vitest";

const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

function print(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  return inspect(value, { depth: 20, breakLength: Infinity, maxArrayLength: null });
}

/** What remains of a printed value when its numbers, spaces and quotes are taken out. */
const frame = (text: string) =>
  text
    .replace(/\w+Array\(\d+\) (?=\[)/g, "")
    .replace(NUMBER, "#")
    .replace(/['"`\s]/g, "");

function same(actual: string, expected: string): boolean {
  const numbers = (text: string) => [...text.replace(/\w+Array\(\d+\) (?=\[)/g, "").matchAll(NUMBER)].map(Number);
  const wanted = numbers(expected);
  return frame(actual) === frame(expected) && numbers(actual).every((x, i) => near(x, wanted[i]));
}

/** Equal to the four decimals, or four digits, that an example shows. */
const near = (a: number, b: number) => Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b));

/** Numbers count to four decimals; the rest of a value but for spaces and quotes, and a string, to the letter. */
export function $equals(value: unknown, where: string, expected: string): void {
  if (typeof value === "string")
    expect(value.replace(/\s+/g, " ").trim(), where).toBe(expected.replace(/\s+/g, " ").trim());
  else if (!same(print(value), expected)) expect(print(value), where).toBe(expected);
}

/** What console.log would print. */
export function $prints(values: unknown[], where: string, expected: string): void {
  const printed = format(...values);
  if (!same(printed, expected)) expect(printed, where).toBe(expected);
}

/** The error's name and message contain the text. */
export async function $throws(run: () => Promise<void>, where: string, expected: string): Promise<void> {
  const error = await run().then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  expect(error && `${error.name}: ${error.message}`, where).toContain(expected);
}
