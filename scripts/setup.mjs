// Makes the checkout ready to run: checks Node, installs the packages, builds. Does nothing where all is fresh.
// Uses what Node has built in, since it runs before anything is installed.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { install, isInstalled } from "./install.mjs";

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
  if (!isInstalled(root) || !isBuilt()) {
    alone(() => {
      if (!isInstalled(root)) step("installing packages (npm ci)", () => install(root));
      build();
    });
  }
} catch (error) {
  stop(error.message);
}
