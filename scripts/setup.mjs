// Makes the checkout ready to run: checks Node, installs the packages, builds. Does nothing where all is fresh.
// Uses what Node has built in, since it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = [20, 12];
const root = fileURLToPath(new URL("..", import.meta.url));

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  stop(
    `evenkeel needs Node ${OLDEST_NODE.join(".")} or newer; this is ${process.versions.node} (${process.execPath}).\n` +
      "Install a newer one from https://nodejs.org or with your version manager (nvm install 22), then run the command again.",
  );
}

/** Whether node_modules holds what package-lock.json names: npm writes there what it has installed. */
function isInstalled() {
  const installedFile = join(root, "node_modules/.package-lock.json");
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  // Optional packages are those of other systems.
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (!path.startsWith("node_modules/")) return true;
    return path in installed ? installed[path].version === version : optional === true;
  });
}

/** Installs exactly what the lock file names; npm's own words are shown only if it fails. */
function install() {
  // With these a registry that cannot be reached is reported after seconds, not minutes.
  const retry = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
  const { status, stdout, stderr, error } = npm("ci", "--include=dev", "--include=optional", "--no-progress", ...retry);
  if (status === 0) return;
  const output = error ? `${error.message}\n` : `${stdout}${stderr}`;
  const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|SOCKET_TIMEOUT/.test(output);
  const registry = npm("config", "get", "registry").stdout?.trim();
  throw new Error(
    `npm ci failed. This is what it said:\n\n${output}\n` +
      (unreachable
        ? `The package registry ${registry} cannot be reached. Check the network and the proxy (npm config get https-proxy),\n` +
          "or name a registry that you can reach (npm config set registry URL), then run the same command again.\n" +
          "Without any network: run npm ci in a copy of this folder elsewhere, and copy its node_modules here."
        : "Mend what it complains about, then run the same command again."),
  );
}

function npm(...args) {
  const options = { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 };
  const script = process.env.npm_execpath;
  if (script?.endsWith("js")) return spawnSync(process.execPath, [script, ...args], options);
  return spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
}

/** Runs `work` while no other process of this checkout does: two would write the same folders. */
function alone(work) {
  const lock = join(root, "build/setup.lock");
  mkdirSync(join(root, "build"), { recursive: true });
  for (let waited = false; !takes(lock); waited = true) {
    const owner = existsSync(lock) ? Number(readFileSync(lock, "utf8")) : 0;
    if (owner > 0 && !isRunning(owner)) rmSync(lock, { force: true });
    else if (!waited) console.log(`evenkeel: waiting for the set-up that process ${owner || "?"} runs in this folder`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function takes(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function stop(message) {
  console.error(`\n${message}`);
  process.exit(1);
}

checkNode();
const { step } = await import("./step.mjs");
const { isBuilt, build } = await import("./build.mjs");
try {
  if (!isInstalled() || !isBuilt()) {
    alone(() => {
      if (!isInstalled()) step("installing packages (npm ci)", install);
      build();
    });
  }
} catch (error) {
  stop(error.message);
}
