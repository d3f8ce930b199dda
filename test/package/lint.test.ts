import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/** From lowest to highest; the folders of one row come at the same height. */
const LAYERS = [
  ["util"],
  ["kernels"],
  ["tensor"],
  ["autograd"],
  ["ops"],
  ["functional"],
  ["nn"],
  ["optim", "data", "models"],
  ["io", "tools", "distributed"],
  ["study"],
  ["cli"],
];
const heightOf = (folder: string) => LAYERS.findIndex((row) => row.includes(folder));
const folders = LAYERS.flat();

interface Import {
  from: string;
  of: string;
  allowed: boolean;
}

/** Every pair of folders, from a file in the folder itself and from one in a folder inside it. */
const betweenFolders = folders.flatMap((from) =>
  folders
    .filter((of) => of !== from)
    .flatMap((of): Import[] => {
      const apart = heightOf(from) === heightOf("optim") && heightOf(of) === heightOf("optim");
      const allowed = heightOf(of) <= heightOf(from) && !apart;
      return [
        { from: `src/${from}/file.ts`, of: `../${of}/module.ts`, allowed },
        { from: `src/${from}/inner/file.ts`, of: `../../${of}/module.ts`, allowed },
      ];
    }),
);

const special: Import[] = [
  { from: "src/kernels/backend.ts", of: "./reference/index.ts", allowed: false },
  { from: "src/kernels/backend.ts", of: "./wasm/index.ts", allowed: false },
  { from: "src/kernels/backend.ts", of: "./dtype.ts", allowed: true },
  { from: "src/kernels/wasm/file.ts", of: "../reference/gemm.ts", allowed: false },
  { from: "src/kernels/wasm/file.ts", of: "../backend.ts", allowed: true },
  { from: "src/kernels/reference/file.ts", of: "../wasm/gemm.ts", allowed: false },
  { from: "src/kernels/reference/file.ts", of: "#platform", allowed: false },
  { from: "src/kernels/reference/file.ts", of: "../heap.ts", allowed: true },
  { from: "src/ops/file.ts", of: "../kernels/wasm/index.ts", allowed: false },
  { from: "src/nn/norm/file.ts", of: "../../kernels/reference/index.ts", allowed: false },
  { from: "src/nn/norm/file.ts", of: "../module.ts", allowed: true },
  { from: "src/nn/file.ts", of: "evenkeel", allowed: false },
  { from: "src/nn/file.ts", of: "evenkeel/optim", allowed: false },
  { from: "src/runtime.ts", of: "./kernels/wasm/index.ts", allowed: true },
];

interface Diagnostic {
  category: string;
  location: { path: string; start: { line: number } };
}

let diagnostics: Diagnostic[];
let folder: string;
const imports = [...betweenFolders, ...special];

/** Writes all these imports, one a line, into files laid out as the repository's, and lints them with its rules. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-lint-"));
  for (const file of ["biome.json", ".gitignore"]) cpSync(file, join(folder, file));
  const sources = new Map<string, string[]>();
  for (const { from, of } of imports) sources.set(from, [...(sources.get(from) ?? []), `import "${of}";`]);
  sources.set("src/ops/a.ts", ['export { b } from "./b.ts";']);
  sources.set("src/ops/b.ts", ['import type { a } from "./a.ts";', "export const b: typeof a = 0;"]);
  for (const [file, lines] of sources) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${lines.join("\n")}\n`);
  }
  const args = [join(process.cwd(), "node_modules/@biomejs/biome/bin/biome"), "lint", "--reporter=json", "."];
  const { stdout } = spawnSync(process.execPath, [...args, "--max-diagnostics=none"], {
    cwd: folder,
    encoding: "utf8",
  });
  diagnostics = JSON.parse(stdout).diagnostics;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const has = (category: string, path: string, line: number) =>
  diagnostics.some((d) => d.category === category && d.location.path.endsWith(path) && d.location.start.line === line);

test("imports go one way, and only the entry point knows the kernels' implementations", () => {
  const lineOf = new Map<string, number>();
  const wrong: string[] = [];
  for (const { from, of, allowed } of imports) {
    const line = (lineOf.get(from) ?? 0) + 1;
    lineOf.set(from, line);
    const reported = has("lint/style/noRestrictedImports", from, line);
    if (reported === allowed) wrong.push(`${from} imports ${of}: ${reported ? "reported" : "not reported"}`);
  }
  expect(wrong).toEqual([]);
});

test("an import circle is reported, also one of types alone", () => {
  expect(has("lint/suspicious/noImportCycles", "src/ops/a.ts", 1)).toBe(true);
});
