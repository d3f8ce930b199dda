import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Folders whose tests go through tensors; they run once on every backend. */
const onEveryBackend =
  "test/{kernels,tensor,autograd,ops,functional,nn,optim,data,models,io,tools,property}/**/*.test.ts";

/** Folders whose tests are about the house, the command line and the documentation; they run once. */
const once = "test/{util,package,study,cli,docs,examples,distributed}/**/*.test.ts";

function project(name: string, include: string, env: Record<string, string> = {}) {
  return { extends: true as const, test: { name, include: [include], env } };
}

/** The lab in a real browser; one Chromium and one build serve all files. */
const browser = {
  extends: true as const,
  test: {
    name: "browser",
    include: ["test/browser/**/*.test.ts"],
    globalSetup: "test/browser/global-setup.ts",
    testTimeout: 60_000,
  },
};

export default defineConfig({
  resolve: {
    alias: [
      { find: /^evenkeel$/, replacement: at("src/index.ts") },
      { find: /^evenkeel\/(\w+)$/, replacement: at("src/$1/index.ts") },
      { find: "#platform", replacement: at("src/kernels/wasm/platform.node.ts") },
      { find: "#images", replacement: at("src/data/decode/codecs.node.ts") },
    ],
  },
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: availableParallelism(),
    silent: "passed-only",
    reporters: ["default", "./test/package/parity-reporter.ts"],
    // names of tests are whole: PARITY.md names them
    chaiConfig: { truncateThreshold: 0 },
    projects: [
      project("reference", onEveryBackend, { EVENKEEL_BACKEND: "reference" }),
      project("wasm-base", onEveryBackend, { EVENKEEL_BACKEND: "wasm", EVENKEEL_SIMD: "base" }),
      project("wasm-relaxed", onEveryBackend, { EVENKEEL_BACKEND: "wasm", EVENKEEL_SIMD: "relaxed" }),
      project("house", once),
      browser,
    ],
  },
});
