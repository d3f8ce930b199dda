// Lint, types, tests, in this order; stops at the first that fails. Arguments go to vitest and leave out the rest:
// npm test -- test/nn
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { alone } from "./alone.mjs";
import { install, isInstalled } from "./install.mjs";
import { step } from "./step.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const only = process.argv.slice(2);

// The library runs on 20.12, but vitest's vite does not.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major === 20 && minor < 19) {
  console.error(
    `evenkeel runs on Node ${process.versions.node}, its tests need 20.19 or newer: install it and run again.`,
  );
  process.exit(1);
}

// Runs exported files in tests. 430 MB, so not among the packages that every newcomer waits for; its install script would
// download parts for graphics cards.
const runtimes = `${root}test/io/onnx`;
if (!isInstalled(runtimes)) {
  try {
    // Another npm test may have installed them while this one waited.
    alone(() => {
      if (isInstalled(runtimes)) return;
      step("installing the ONNX runtimes for the tests (npm ci)", () => install(runtimes, "--ignore-scripts"));
    });
  } catch (error) {
    console.error(`\n${error.message}`);
    process.exit(1);
  }
}

const CHECKS = [
  {
    name: "lint and format",
    args: ["@biomejs/biome/bin/biome", "check", "."],
    help: "npm run format mends most of it.",
  },
  { name: "types", args: ["typescript/bin/tsc", "--noEmit"], help: "The compiler's messages are above." },
  { name: "types of the lab", args: ["typescript/bin/tsc", "-p", "lab"], help: "The compiler's messages are above." },
  { name: "tests", args: ["vitest/vitest.mjs", "run", ...only], help: "The failed tests are listed above." },
];

for (const { name, args, help } of only.length > 0 ? CHECKS.slice(-1) : CHECKS) {
  console.log(`\n── ${name} ${"─".repeat(60 - name.length)}`);
  const [script, ...rest] = args;
  const { status, signal } = spawnSync(process.execPath, [`node_modules/${script}`, ...rest], {
    cwd: root,
    stdio: "inherit",
  });
  if (status === 0) continue;
  console.error(`\n${name}: failed${signal ? ` (${signal})` : ""}. ${help}`);
  process.exit(status ?? 1);
}
