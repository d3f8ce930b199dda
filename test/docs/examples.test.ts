import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blocksOf, sourceFiles, withChecks } from "./blocks.ts";

const folder = join(process.cwd(), "build/doc-examples");
const readmes = ["README.md", "README.zh-CN.md"];
const blocks = [...readmes.filter((file) => existsSync(file)), ...sourceFiles()].flatMap(blocksOf);
const nameOf = (file: string, line: number) => `${file.replace(/\W+/g, "-")}-${line}.ts`;

rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, "run"), { recursive: true });
for (const { file, line, code } of blocks) writeFileSync(join(folder, nameOf(file, line)), `${code}\nexport {};\n`);

test("there are examples, in both READMEs too", () => {
  expect(blocks.length).toBeGreaterThan(100);
  for (const readme of readmes) expect(blocks.map(({ file }) => file)).toContain(readme);
});

test("the examples have no type errors", () => {
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false };
  const paths = {
    evenkeel: ["../../src/index.ts"],
    "evenkeel/*": ["../../src/*/index.ts"],
    "#platform": ["../../src/kernels/wasm/platform.node.ts"],
    "#images": ["../../src/data/decode/codecs.node.ts"],
  };
  const config = { extends: "../../tsconfig.json", compilerOptions: { ...compilerOptions, paths }, include: ["*.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { stdout } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", folder], {
    encoding: "utf8",
  });
  const errors = stdout.split("\n").filter((line) => line.includes("doc-examples"));
  expect(errors).toEqual([]);
});

for (const block of blocks) {
  test(`${block.file}:${block.line}`, async () => {
    const path = join(folder, "run", nameOf(block.file, block.line));
    const checks = 'import { $equals, $prints, $throws } from "../../../test/docs/check.ts";';
    writeFileSync(path, `${checks}\n${withChecks(block)}\n`);
    await import(/* @vite-ignore */ path);
  });
}
