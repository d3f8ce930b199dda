import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Folders whose tests go through tensors; they run once on every backend. */
const onEveryBackend =
  "test/{kernels,tensor,autograd,ops,functional,nn,optim,data,models,io,tools,property}/**/*.test.ts";

/** Files in them that are the same on every backend: the reference's own kernels, and what reads bytes. They run once. */
const sameOnEveryBackend = [
  "test/kernels/reference-*.test.ts",
  "test/data/{decode-image,idx}.test.ts",
  "test/io/{bad-pickles,fuzz,torch-reads,zip}.test.ts",
];

/** Folders whose tests are about the house, the command line and the documentation; they run once. */
const once = "test/{util,package,study,cli,docs,examples,distributed}/**/*.test.ts";

/** To load the library takes 0.5 s, longer than most files take: those of a project share a process, which test/setup.ts clears between them. */
const shared = { isolate: false, setupFiles: "test/setup.ts", execArgv: ["--expose-gc"] };

function backendProject(name: string, env: Record<string, string>) {
  return {
    extends: true as const,
    test: {
      ...shared,
      name,
      include: [onEveryBackend],
      exclude: [...configDefaults.exclude, ...sameOnEveryBackend],
      env,
    },
  };
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

/** Project after project, so that files of one share its processes; within it as usual, what took longest first. */
class ByProject extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const projects = this.ctx.projects.map(({ name }) => name);
    return sorted.sort((a, b) => projects.indexOf(a.project.name) - projects.indexOf(b.project.name));
  }
}

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
    sequence: { sequencer: ByProject },
    silent: "passed-only",
    reporters: ["default", "./test/package/parity-reporter.ts"],
    // names of tests are whole: PARITY.md names them
    chaiConfig: { truncateThreshold: 0 },
    projects: [
      { extends: true, test: { name: "house", include: [once] } },
      browser,
      { extends: true, test: { ...shared, name: "once", include: sameOnEveryBackend } },
      backendProject("reference", { EVENKEEL_BACKEND: "reference" }),
      backendProject("wasm-base", { EVENKEEL_BACKEND: "wasm", EVENKEEL_SIMD: "base" }),
      backendProject("wasm-relaxed", { EVENKEEL_BACKEND: "wasm", EVENKEEL_SIMD: "relaxed" }),
    ],
  },
});
