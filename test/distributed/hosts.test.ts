import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADDRESSES, bytesAcross, cutLink, launchOnHosts, makeHosts, processesInHosts, removeHosts } from "./hosts.ts";
import { folder, lacking, program, resultOf } from "./launcher.ts";

const refused = lacking || makeHosts();
if (refused && !lacking) process.stderr.write(`tests over two hosts are skipped: ${refused}\n`);
afterAll(removeHosts);

interface Curve {
  losses: number[];
  statistics: number[][][];
}

describe.skipIf(refused)(`two hosts ${refused}`, () => {
  const ways = [{ batchSize: 12, sync: true, steps: 100 }];
  let alone: Curve;
  beforeAll(async () => {
    [alone] = await resultOf<Curve[]>(1, "curve", [JSON.stringify(ways)]);
  });

  test("train as one process does, and what crosses the link is what the ranks exchange", async () => {
    const file = join(folder, "hosts.json");
    const before = bytesAcross();
    const { code, output } = await launchOnHosts([], program("curve"), [JSON.stringify(ways), file]);
    const crossed = bytesAcross() - before;
    expect(code, output).toBe(0);
    const [{ losses, statistics }] = JSON.parse(readFileSync(file, "utf8")) as Curve[];
    const apart = (a: number[], b: number[]) =>
      Math.max(...a.map((v, i) => Math.abs(v - b[i]))) / Math.max(...b.map(Math.abs));
    expect(apart(losses, alone.losses)).toBeLessThan(1e-5);
    for (const [i, ranks] of statistics.entries()) {
      expect(apart(ranks[0], alone.statistics[i][0])).toBeLessThan(1e-5);
      expect(ranks[1]).toEqual(ranks[0]);
    }
    // A step exchanges, each way: 708 gradients in float32, padded to 768; of 14 channels 2 rows of moments, 1 + 2C float64, and 2C sums in float32; three numbers.
    const perStep = 768 * 4 + (2 + 28) * 8 + 28 * 4 + 20;
    console.log(`two hosts: ${crossed} bytes crossed the link; the values alone are ${2 * 100 * perStep}`);
    expect(crossed).toBeGreaterThan(2 * 100 * perStep);
    // Packets have headers of 66 bytes, there are some 16 messages a step, and the launcher talks too.
    expect(crossed).toBeLessThan(2 * 100 * (perStep + 16 * 300) + 500_000);
  });

  test("a link that goes down ends the job on both hosts", async () => {
    let cut = 0;
    const flags = ["--timeout", "3"];
    const { code, output } = await launchOnHosts(flags, program("fail"), ["never", "0"], (so) => {
      if (cut || so.split(" runs").length < 3) return;
      cutLink();
      cut = performance.now();
    });
    const seconds = (performance.now() - cut) / 1000;
    expect(code).not.toBe(0);
    expect(output).toMatch(/^evenkeel launch: .*(rank [01] did not answer|waited 3 s|cannot be reached)/m);
    expect(seconds).toBeLessThan(60);
    for (let waited = 0; waited < 40_000 && processesInHosts().length > 0; waited += 200) {
      await new Promise((done) => setTimeout(done, 200));
    }
    expect(processesInHosts()).toEqual([]);
    console.log(`the job ended ${seconds.toFixed(1)} s after the link to ${ADDRESSES[1]} went down`);
  });
});
