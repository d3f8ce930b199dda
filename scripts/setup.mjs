// Makes the checkout ready to run: checks Node, installs the packages, builds. Does nothing where all is fresh.
// Uses what Node has built in, since it runs before anything is installed.
import { fileURLToPath } from "node:url";
import { alone } from "./alone.mjs";
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
