import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";

// It measures the built package; npm test builds first.
test.skipIf(!existsSync("dist/index.js"))(
  "npm run memory finds a flat line in loops with and without a loader",
  () => {
    const args = ["--expose-gc", "scripts/memory.mjs", "500"];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(`${stdout}${stderr}`).toContain("Flat: nothing grows.");
    expect(stdout.match(/^ +\d+ +\d+\.\d{4} +\d+ /gm)).toHaveLength(20);
    expect(status).toBe(0);
  },
  60_000,
);
