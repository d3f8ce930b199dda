import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isThere, page, ROWS, versionsOf } from "../../scripts/parity/page.ts";
import { APIS } from "../torch/apis.ts";
import { recordedRuns } from "../torch/runs.ts";

const live = APIS.map(({ name }) => name);
const named = ({ api, argument, behaviour }: (typeof ROWS)[number]) => `${api} · ${argument} · ${behaviour}`;

test("every row names tests that exist", () => {
  const lost = ROWS.flatMap((row) =>
    row.evidence.filter((evidence) => !isThere(evidence, live)).map((evidence) => ({ row: named(row), evidence })),
  );
  expect(lost).toEqual([]);
});

test("a version that a row claims was compared: golden numbers were made with it, or a live run was recorded", () => {
  const runs = recordedRuns();
  const bare = ROWS.flatMap((row) => {
    const backed = row.evidence.flatMap((evidence) => versionsOf(evidence, runs));
    // a row of hand-written tests alone says which one version they were written from
    const claimed = row.torch.split(", ").filter((version) => /^\d/.test(version) && version !== "2.x source");
    const onlyTests = row.evidence.every((evidence) => "test" in evidence);
    if (onlyTests && claimed.length <= 1) return [];
    const missing = claimed.filter((version) => !backed.includes(version.split(".").slice(0, 2).join(".")));
    return missing.map((version) => `${named(row)}: ${version}`);
  });
  expect(bare).toEqual([]);
});

test("a run with differences, or of other APIs, backs nothing", () => {
  const run = { torch: "2.13.0+cpu", seed: 1, backends: [], cases: 10, differences: 0, apis: { GroupNorm: 10 } };
  expect(versionsOf({ live: "GroupNorm" }, [run])).toEqual(["2.13"]);
  expect(versionsOf({ live: "LayerNorm" }, [run])).toEqual([]);
  expect(versionsOf({ live: "GroupNorm" }, [{ ...run, differences: 1 }])).toEqual([]);
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
