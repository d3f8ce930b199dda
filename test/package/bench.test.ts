import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

interface Lane {
  lane: string;
  samples: number[];
  unsupported?: string;
  iterations?: number;
  check?: number;
  loaded?: number[];
  parts?: Record<string, number[]>;
}
interface Workload {
  id: string;
  group: string;
  op: string;
  unit: string;
  date: string;
  lanes: Lane[];
}

const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
const file = join(folder, "quick.json");
const bench = (...args: string[]) =>
  spawnSync(process.execPath, ["bench/run.mjs", ...args], { encoding: "utf8", timeout: 60_000 });

// biome-ignore lint/suspicious/noExplicitAny: a file read back
let results: any;
let workloads: Workload[];

beforeAll(() => {
  const { status, stderr } = bench("--quick", "--json", file, "--peers", "evenkeel,limits", "--threads", "1");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  results = JSON.parse(readFileSync(file, "utf8"));
  workloads = results.workloads;
}, 90_000);
afterAll(() => rmSync(folder, { recursive: true }));

test("the benchmarks write what they ran on and every sample", () => {
  expect(results).toMatchObject({
    format: 1,
    quick: true,
    date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    machine: { cpu: expect.any(String), cores: expect.any(Number), node: process.versions.node },
    peers: { evenkeel: { title: "evenkeel", threads: 1 }, limits: { version: expect.any(String) } },
  });
  expect(results.lanes.map(({ id }: { id: string }) => id)).toEqual([
    "evenkeel-1",
    "evenkeel-1-twice",
    "evenkeel-1-kernels",
    "limits",
  ]);
  for (const { id, unit, lanes } of workloads) {
    expect(lanes[0].lane).toBe("evenkeel-1");
    expect(["ns", "bytes"]).toContain(unit);
    for (const { unsupported, samples } of lanes) {
      expect([id, unsupported]).toEqual([id, undefined]);
      expect(samples.length).toBeGreaterThanOrEqual(2);
      expect(samples.every((sample) => sample > 0)).toBe(true);
    }
  }
});

test("every group has a workload, and every workload whose result is known has its check", () => {
  expect(new Set(workloads.map(({ group }) => group))).toEqual(
    new Set(["norm", "gemm", "conv", "steps", "scaling", "memory", "limits"]),
  );
  for (const { op, lanes, unit } of workloads) {
    if (unit === "bytes") expect(lanes[0].loaded).toHaveLength(lanes[0].samples.length);
    else if (op !== "step") expect(lanes[0].check).toBeGreaterThan(0);
  }
});

test("what the hardware allows is measured beside us: tensors moved, kernels by themselves, two processes at once", () => {
  const { lanes } = workloads.find(({ group }) => group === "limits") as Workload;
  const names = ["evenkeel-1", "evenkeel-1-twice", "evenkeel-1-kernels", "limits"];
  expect(lanes.map(({ lane }) => lane)).toEqual(names);
  const { parts = {}, samples } = lanes[2];
  for (const kernel of ["batchNorm", "normalizeByChannelGrad"]) {
    expect(parts[kernel]).toHaveLength(samples.length);
    expect(parts[kernel].every((ns) => ns > 0)).toBe(true);
  }
});

test("a second run adds to the file", () => {
  const one = ["--only", "gemm", "--rounds", "2"];
  const { status } = bench("--quick", "--json", file, "--peers", "evenkeel", "--threads", "1", ...one);
  expect(status).toBe(0);
  const after = JSON.parse(readFileSync(file, "utf8"));
  expect(after.workloads.map(({ id }: Workload) => id)).toEqual(workloads.map(({ id }) => id));
  const gemm = after.workloads.find(({ group }: Workload) => group === "gemm");
  expect(gemm.lanes.map(({ lane }: Lane) => lane)).toEqual(["evenkeel-1"]);
  expect(after.peers).toEqual(results.peers);
});

test("what it does not know is an error that says what there is", () => {
  const { status, stderr } = bench("--only", "norms");
  expect(status).toBe(1);
  expect(stderr).toContain("--only takes norm, gemm, conv, steps, scaling, memory, limits; not norms");
});

test("a library that is missing is named, with what to do, and the rest goes on", () => {
  const run = spawnSync(
    process.execPath,
    ["bench/run.mjs", "--quick", "--json", join(folder, "none.json"), "--peers", "torch", "--only", "gemm"],
    { encoding: "utf8", timeout: 60_000, env: { ...process.env, PYTHON: "no-such-python" } },
  );
  expect(run.status).toBe(0);
  expect(run.stdout).toMatch(/PyTorch +missing: .*no-such-python/);
  expect(run.stdout).toContain("apt-get install python3-torch libopenblas0");
});
