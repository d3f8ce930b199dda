import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const CODE = /\.(tsx?|css|mjs|js|py)$/;

function codeUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file}`)
    .filter((file) => CODE.test(file) && !/\/(generated|node_modules|dist)\//.test(file));
}

test("no file has more than 400 lines", () => {
  const folders = readdirSync(".", { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(\..*|node_modules|dist|build|coverage)$/.test(entry.name))
    .map((entry) => entry.name);
  const long = folders
    .flatMap(codeUnder)
    .map((file) => ({ file, lines: readFileSync(file, "utf8").split("\n").length - 1 }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});

interface LockEntry {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}
const lockFile = readFileSync("package-lock.json", "utf8");

test("the lock file names no registry, so that any mirror serves", () => {
  // The workspace's own link is the one place that npm names.
  expect(lockFile.replace('"resolved": "lab"', "")).not.toContain('"resolved"');
});

test("the lock file names what every system needs, since npm ci refuses one that does not", () => {
  const packages: Record<string, LockEntry> = JSON.parse(lockFile).packages;
  const names = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, "")));
  const lacking = Object.values(packages)
    .flatMap((entry) => Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }))
    .filter((name) => !names.has(name));
  expect(lacking).toEqual([]);
});
