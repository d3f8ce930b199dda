import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

/** Sums with two workers, waits until they have started, and sums again. */
const PROGRAM = `
const { ones, setNumThreads } = await import(${JSON.stringify(pathToFileURL("dist/index.js").href)});
setNumThreads(3);
const x = ones([512, 1024]);
for (let i = 0; i < 2; i++) {
  console.log(x.mul(2).sum(1).sum().item());
  await new Promise((resolve) => setTimeout(resolve, 300));
}`;

function run(program: string): string {
  const args = ["--input-type=module", "--eval", program];
  return execFileSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
}

test("a process that used threads exits by itself", () => {
  expect(run(PROGRAM)).toBe("1048576\n1048576\n");
});

test("threads work inside a worker of the user", () => {
  const worker = `
    import { Worker } from "node:worker_threads";
    new Worker(new URL("data:text/javascript," + ${JSON.stringify(encodeURIComponent(PROGRAM))}));`;
  expect(run(worker)).toBe("1048576\n1048576\n");
});

test("a process may end while a kernel's workers sleep", () => {
  expect(run(`${PROGRAM} process.exit(0);`)).toBe("1048576\n1048576\n");
});
