// Builds what is stale: assembly/ into src/kernels/wasm/generated, src/ into dist/, examples/ into build/examples/.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { step } from "./step.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const generated = "src/kernels/wasm/generated";

/** What each part is made from, where it goes, and how. A part is also made anew when one before it was. */
const PARTS = [
  {
    name: "compiling the WebAssembly kernels",
    sources: ["assembly", "scripts/build-kernels.mjs"],
    out: generated,
    make: () => node("scripts/build-kernels.mjs"),
  },
  {
    name: "compiling the library",
    sources: ["src", "tsconfig.json", "tsconfig.build.json"],
    out: "dist",
    make: () => compile("tsconfig.build.json", "dist"),
  },
  {
    name: "compiling the examples",
    sources: ["examples", "tsconfig.examples.json"],
    out: "build/examples",
    make: () => compile("tsconfig.examples.json", "build/examples"),
  },
];

/** The browser lab, which only its own commands and tests need. */
const LAB = {
  name: "building the lab",
  sources: ["lab", "src"],
  out: "build/lab",
  make: () => node("node_modules/vite/bin/vite.js", "build", "lab", "--logLevel", "warn"),
};

/** Whether everything that the build makes is there and up to date. */
export function isBuilt() {
  return PARTS.every((part) => stampOf(part) === fingerprint(part));
}

/** Makes what is missing or stale. Throws with the compiler's output where it fails. */
export function build() {
  let stale = false;
  for (const part of PARTS) {
    const print = fingerprint(part);
    stale ||= stampOf(part) !== print;
    if (!stale) continue;
    step(part.name, part.make);
    writeFileSync(stampPath(part), print);
  }
}

/** Makes the lab's static files if they are missing or stale. The library has to be built. */
export function buildLab() {
  const print = fingerprint(LAB);
  if (stampOf(LAB) === print) return;
  step(LAB.name, LAB.make);
  writeFileSync(stampPath(LAB), print);
}

const stampPath = ({ out }) => join(root, out, ".stamp");

function stampOf(part) {
  return existsSync(stampPath(part)) ? readFileSync(stampPath(part), "utf8") : undefined;
}

/** A hash of the names and contents of all sources; modification times say nothing after a checkout. */
function fingerprint({ sources }) {
  const hash = createHash("sha256");
  // The lock file stands for the compilers' versions.
  for (const file of [...sources, "package-lock.json"].flatMap(filesUnder)) {
    hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/** The file itself, or all files of the folder in a fixed order, generated ones left out. */
function filesUnder(path) {
  if (path === generated || path.endsWith("node_modules")) return [];
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name) => filesUnder(`${path}/${name}`));
}

/** Compiles into a folder beside the final one and swaps them, so that a process that reads meanwhile sees a whole build. */
function compile(config, out) {
  const fresh = join(root, `build/${out.replaceAll("/", "-")}.${process.pid}.new`);
  const old = `${fresh}.old`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  try {
    node("node_modules/typescript/bin/tsc", "-p", config, "--outDir", fresh);
    const target = join(root, out);
    if (existsSync(target)) renameSync(target, old);
    renameSync(fresh, target);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

/** Runs a Node script in the root; its output is shown only if it fails. */
function node(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.slice(0, 3).join(" ")} failed:\n\n${stdout}${stderr}`);
}
