import { format, inspect } from "node:util";
import { expect } from "vitest";

const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

function print(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  return inspect(value, { depth: 20, breakLength: Infinity, maxArrayLength: null });
}

/** Without the names of typed arrays, and the dots of a number that goes on. */
const plain = (text: string) => text.replace(/\w+Array\(\d+\) (?=\[)/g, "").replace(/…/g, "");

/** What remains of a printed value when its numbers, spaces and quotes are taken out. */
const frame = (text: string) =>
  plain(text)
    .replace(NUMBER, "#")
    .replace(/['"`\s]/g, "");

const numbers = (text: string) => [...plain(text).matchAll(NUMBER)].map(Number);

/** Equal to the four decimals, or four digits, that an example shows. */
const near = (a: number, b: number) => Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b));

function same(actual: string, expected: string): boolean {
  const wanted = numbers(expected);
  return frame(actual) === frame(expected) && numbers(actual).every((x, i) => near(x, wanted[i]));
}

const spaced = (text: string) => text.replace(/\s+/g, " ").trim();

/** Numbers count to four decimals; the rest of a value but for spaces and quotes, and a string, to the letter. */
export function $equals(value: unknown, where: string, expected: string): void {
  if (typeof value === "string") expect(spaced(value), where).toBe(spaced(expected).replace(/^(["'])(.*)\1$/, "$2"));
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
