import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isThere, page, ROWS } from "../../scripts/parity/page.ts";
import { APIS } from "../torch/apis.ts";

const live = APIS.map(({ name }) => name);
const named = ({ api, argument, behaviour }: (typeof ROWS)[number]) => `${api} · ${argument} · ${behaviour}`;

test("every row names tests that exist", () => {
  const lost = ROWS.flatMap((row) =>
    row.evidence.filter((evidence) => !isThere(evidence, live)).map((evidence) => ({ row: named(row), evidence })),
  );
  expect(lost).toEqual([]);
});

test("a test that does not exist is noticed", () => {
  expect(isThere({ test: "nn/norm.test.ts", title: "no such test" }, live)).toBe(false);
  expect(isThere({ test: "nn/no-such-file.test.ts", title: "$name" }, live)).toBe(false);
  expect(isThere({ golden: "norm", name: "BatchNorm4d" }, live)).toBe(false);
  expect(isThere({ live: "BatchNorm4d" }, live)).toBe(false);
});

test("every row has a test, or a reason for having none; what differs has both", () => {
  const bare = ROWS.filter(
    ({ status, evidence, reason }) =>
      (evidence.length === 0 && (status !== "missing" || !reason)) || (status === "differs" && !reason),
  );
  expect(bare.map(named)).toEqual([]);
});

test("no behaviour is listed twice", () => {
  const names = ROWS.map(named);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test("PARITY.md is what the table makes: npm run parity writes it", () => {
  expect(readFileSync("PARITY.md", "utf8")).toBe(page());
});
