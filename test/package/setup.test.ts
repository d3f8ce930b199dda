import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const copies: string[] = [];
afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});

/** A folder with the set-up scripts and the lock file, as a fresh clone has them. */
function freshCopy(): string {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-setup-"));
  copies.push(folder);
  for (const file of ["package.json", "package-lock.json", "scripts"])
    cpSync(file, join(folder, file), { recursive: true });
  return folder;
}

/** No packages can be fetched: nothing listens at the registry's address, and npm's cache is empty. */
const offline = (folder: string) => ({
  ...process.env,
  npm_config_registry: "http://127.0.0.1:9/",
  npm_config_cache: join(folder, "cache"),
});

test("set-up does nothing where all is fresh", () => {
  const setUp = () => spawnSync(process.execPath, ["scripts/setup.mjs"], { encoding: "utf8" });
  setUp();
  const started = performance.now();
  const { status, stdout, stderr } = setUp();
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  expect(performance.now() - started).toBeLessThan(5000);
});

test("a Node that is too old is named, with what to do", () => {
  const pretend = 'data:text/javascript,Object.defineProperty(process, "versions", { value: { node: "18.20.4" } })';
  const { status, stderr } = spawnSync(process.execPath, ["--import", pretend, "scripts/setup.mjs"], {
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toContain("evenkeel needs Node 20.12 or newer; this is 18.20.4");
});

test("a registry that cannot be reached is named, with what npm said and what to do", () => {
  const folder = freshCopy();
  const result = spawnSync(process.execPath, ["scripts/setup.mjs"], {
    cwd: folder,
    encoding: "utf8",
    env: offline(folder),
  });
  expect(result.status).toBe(1);
  expect(result.stdout).toContain("installing packages (npm ci) … failed");
  expect(result.stderr).toContain("ECONNREFUSED");
  expect(result.stderr).toContain("http://127.0.0.1:9/ cannot be reached");
  expect(existsSync(join(folder, "build/setup.lock"))).toBe(false);
});

test("two set-ups wait for each other, and a dead one's lock is taken over", async () => {
  const folder = freshCopy();
  mkdirSync(join(folder, "build"));
  const lock = join(folder, "build/setup.lock");
  writeFileSync(lock, String(process.pid));
  const waiting = spawn(process.execPath, ["scripts/setup.mjs"], { cwd: folder, env: offline(folder) });
  let said = "";
  waiting.stdout.on("data", (text) => {
    said += text;
  });
  await expect
    .poll(() => said, { timeout: 10_000 })
    .toContain(`waiting for the set-up that process ${process.pid} runs`);
  expect(said).not.toContain("installing");
  const dead = spawnSync(process.execPath, ["--eval", ""]).pid;
  writeFileSync(lock, String(dead));
  await expect.poll(() => said, { timeout: 10_000 }).toContain("installing");
  await new Promise((resolve) => waiting.on("close", resolve));
  expect(existsSync(lock)).toBe(false);
});
