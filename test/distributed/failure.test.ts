import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { lacking, launch, processesWith } from "./launcher.ts";

/** Processes of the job that still run a moment after its end. */
async function leftOf(output: string): Promise<number[]> {
  const pids = [...output.matchAll(/process (\d+) runs/g)].map(([, pid]) => Number(pid));
  expect(pids.length).toBeGreaterThan(0);
  const running = (pid: number) => spawnSync("kill", ["-0", String(pid)]).status === 0;
  for (let waited = 0; waited < 3000 && pids.some(running); waited += 50) {
    await new Promise((done) => setTimeout(done, 50));
  }
  return pids.filter(running);
}

describe.skipIf(lacking)(`a rank fails ${lacking}`, () => {
  // They wait most of the time.
  test.concurrent.each([
    ["kill", 1, /^evenkeel launch: rank 1 \(\S+\) was ended by signal 9 \(Killed\)\. The job ended after/m],
    [
      "throw",
      0,
      /^evenkeel launch: rank 0 \(\S+, process \d+\) was ended by an error that nobody caught: TypeError: a mistake in the script/m,
    ],
    ["hang", 1, /^evenkeel launch: rank 1 did not answer: rank 0 waited 1 s in allReduce/m],
    ["leave", 0, /^evenkeel launch: rank 0 did not answer: rank 1 waited 1 s in allReduce/m],
  ])("%s %i: the job ends, and the rank is named", async (how, who, report) => {
    const { code, output, seconds } = await launch(2, ["--timeout", "1"], "fail", [how, String(who)]);
    expect(code).not.toBe(0);
    expect(output).toMatch(report);
    // seconds, not minutes: three times what it takes on a busy computer
    expect(seconds).toBeLessThan(30);
    expect(await leftOf(output)).toEqual([]);
  });

  test("a time limit ends whatever runs; Ctrl-C too", async () => {
    const limited = await launch(2, ["--limit", "2"], "fail", ["limited", "0"]);
    expect(limited.output).toContain("evenkeel launch: the job reached its time limit");
    expect(await leftOf(limited.output)).toEqual([]);
    let stopped = false;
    const interrupted = await launch(2, [], "fail", ["interrupted", "1"], {
      onOutput(output, pid) {
        if (stopped || output.split("runs").length < 3) return;
        stopped = true;
        process.kill(pid, "SIGINT");
      },
    });
    expect(interrupted.code).not.toBe(0);
    expect(await leftOf(interrupted.output)).toEqual([]);
    expect(processesWith("programs/fail.mjs (limited|interrupted)")).toBe("");
  });

  test("killed at random moments, a run resumes to the same bits", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/kill-ranks.mjs", "--kills", "2"], {
      encoding: "utf8",
    });
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toContain("0 with other weights");
  });
});
