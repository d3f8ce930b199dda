import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { launcherArguments } from "../../src/cli/launch-job.ts";
import { causeOf } from "../../src/cli/launch-report.ts";

const waited = (rank: number) =>
  `evenkeel: rank ${rank} of 3 (a, process 5) waited 9 s in allGather for the others: one hangs (init({ timeout }) …)\n`;

describe("why a job ended", () => {
  test.each([
    ["", null],
    [
      "mpirun noticed that process rank 3 with PID 0 on node b exited on signal 9 (Killed).",
      "rank 3 (b) was ended by signal 9 (Killed)",
    ],
    [
      `${waited(0)}${waited(2)}mpirun noticed that process rank 1 with PID 0 on node b exited on signal 9 (Killed).`,
      "rank 1 (b) was ended by signal 9 (Killed)",
    ],
    [
      `${waited(0)}mpirun noticed that process rank 0 with PID 0 on node b exited on signal 9 (Killed).`,
      "rank 1, 2 did not answer: rank 0 waited 9 s in allGather",
    ],
    ["  Process name: [[1,1],2]\n  Exit code:    7\n", "rank 2 ended with exit code 7"],
    [
      "  Process name: [[1,1],2]\n  Exit code:    1\nevenkeel: rank 1 of 3 (a, process 5) was ended by an error that nobody caught: TypeError: x\n",
      "rank 1 (a, process 5) was ended by an error that nobody caught: TypeError: x",
    ],
    [waited(0) + waited(2), "rank 1 did not answer: rank 0, 2 waited 9 s in allGather"],
    [
      waited(0) + waited(1) + waited(2),
      "all ranks waited 9 s in allGather: they cannot reach each other, or made different calls",
    ],
    [
      "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n=   EXIT CODE: 9\n",
      "a rank ended with code 9 (MPICH does not tell which)",
    ],
  ])("%j", (output, expected) => {
    const cause = causeOf(output);
    expect(cause && `${cause.who} ${cause.what}`).toBe(expected);
  });
});

test("the launchers' flags", () => {
  const flags = { ranks: 4, mpi: "mpirun" };
  expect(launcherArguments("Open MPI", flags, {}, false).join(" ")).toBe("-n 4 --bind-to none --oversubscribe");
  const hosts = launcherArguments(
    "Open MPI",
    { ...flags, host: "a:2,b:2", limit: 60 },
    { EVENKEEL_THREADS: "2" },
    true,
  );
  expect(hosts.join(" ")).toMatch(
    /^-n 4 --bind-to none --allow-run-as-root --host a:2,b:2 --mca oob_tcp_keepalive_time 10 .*--timeout 60 -x EVENKEEL_THREADS$/,
  );
  expect(launcherArguments("MPICH", { ...flags, hostfile: "h", mpiFlag: ["-l"] }, {}, true).join(" ")).toBe(
    "-n 4 -bind-to none -f h -l",
  );
});

test.each([
  [["-n", "2", "nowhere.js"], "there is no script"],
  [["-n", "2", "--mpi", "nowhere-mpirun", "scripts/memory.mjs"], "apt-get install openmpi-bin libopenmpi3"],
  [["-n", "0", "scripts/memory.mjs"], "Give a whole number from 1"],
  [["scripts/memory.mjs"], "required option"],
])("launch %j is refused", (args, text) => {
  const { status, stderr } = spawnSync(process.execPath, ["dist/cli/main.js", "launch", ...args], { encoding: "utf8" });
  expect(status).toBeGreaterThan(0);
  expect(stderr).toContain(text);
});
