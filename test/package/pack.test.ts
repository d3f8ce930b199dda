import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, expect, test } from "vitest";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const entries = Object.keys(manifest.exports)
  .filter((name) => name !== "./package.json")
  .map((name) => name.replace(/^\./, "evenkeel"));

/** The packed tarball, and a user's folder with nothing but the package in it. */
let tarball: Buffer;
let user: string;
let files: string[];

beforeAll(() => {
  user = mkdtempSync(join(tmpdir(), "evenkeel-pack-"));
  const npm = process.env.npm_execpath?.endsWith("js") ? [process.execPath, process.env.npm_execpath] : ["npm"];
  const [command, ...args] = [...npm, "pack", "--ignore-scripts", "--json", "--pack-destination", user];
  const [{ filename }] = JSON.parse(
    execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
  tarball = readFileSync(join(user, filename));
  const home = join(user, "node_modules/evenkeel");
  mkdirSync(home, { recursive: true });
  execFileSync("tar", ["-xzf", join(user, filename), "-C", home, "--strip-components=1"]);
  files = readdirSync(home, { recursive: true, encoding: "utf8" });
});

afterAll(() => rmSync(user, { recursive: true, force: true }));

test("the tarball holds the build and the documents, and nothing of the workshop", () => {
  for (const file of manifest.files.filter((name: string) => !name.startsWith("!"))) expect(files).toContain(file);
  const strange = files.filter((file) => !/^dist(\/|$)|^(package\.json|LICENSE|[A-Z]+(\.zh-CN)?\.md)$/.test(file));
  expect(strange).toEqual([]);
  expect(files).not.toContain("dist/.stamp");
});

test("publint finds nothing", async () => {
  const { buffer, byteOffset, byteLength } = tarball;
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  const { messages } = await publint({ pack: { tarball: bytes }, strict: true });
  expect(messages.map((message) => formatMessage(message, manifest, { color: false }))).toEqual([]);
});

test("the types resolve under every resolution that knows ES modules", async () => {
  const analysis = await checkPackage(createPackageFromTarballData(tarball));
  if (!analysis.types) throw new Error("the package has no types");
  // The package is ESM only: require() and resolutions that do not read "exports" are none of its ways in.
  const serious = analysis.problems.filter(
    (problem) =>
      problem.kind !== "CJSResolvesToESM" && !("resolutionKind" in problem && problem.resolutionKind === "node10"),
  );
  expect(serious).toEqual([]);
});

test("plain JavaScript imports every entry point, and the README's first lines run", () => {
  const program = `
    import { nn, randn, tensor } from "evenkeel";
    const modules = [${entries.map((entry) => `await import("${entry}")`).join(", ")}];
    const layer = new nn.BatchNorm1d(16);
    const shape = layer.forward(randn([100, 16])).shape;
    console.log(JSON.stringify([modules.every((m) => Object.keys(m).length > 0), tensor([1, 2]).add(1).toArray(), shape]));
  `;
  writeFileSync(join(user, "main.mjs"), program);
  const output = execFileSync(process.execPath, ["main.mjs"], { cwd: user, encoding: "utf8" });
  expect(JSON.parse(output)).toEqual([true, [2, 3], [100, 16]]);
});

test.each([
  ["evenkeel/nn", "new m.BatchNorm1d(2).weight.add(1).toArray()"],
  ["evenkeel/data", "(await m.parseIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 1), 'idx')).add(1).toArray()"],
])("%s computes without the main entry", (entry, expression) => {
  writeFileSync(join(user, "one.mjs"), `import * as m from "${entry}"; console.log(JSON.stringify(${expression}));`);
  expect(execFileSync(process.execPath, ["one.mjs"], { cwd: user, encoding: "utf8" })).toBe("[2,2]\n");
});

test("a strict TypeScript program compiles against the declarations, library checks on", () => {
  const program = `
    ${entries.map((entry, i) => `import * as entry${i} from "${entry}";`).join("\n")}
    import { nn, randn, type Tensor } from "evenkeel";
    const y: Tensor = new nn.BatchNorm1d(16).forward(randn([100, 16]));
    const z: Tensor = y.add(1);
    console.log(z.shape, ${entries.map((_, i) => `entry${i}`).join(", ")});
  `;
  writeFileSync(join(user, "main.ts"), program);
  const compilerOptions = {
    ...{ target: "ES2022", module: "NodeNext", strict: true, skipLibCheck: false, noEmit: true, types: [] },
    lib: ["ES2023", "ESNext.Disposable", "DOM", "DOM.Iterable"],
  };
  writeFileSync(join(user, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  writeFileSync(join(user, "package.json"), '{ "type": "module" }');
  const tsc = join(process.cwd(), "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", user], { encoding: "utf8" });
});
