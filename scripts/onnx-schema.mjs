// Makes src/io/onnx/generated/schema.ts from onnx.proto beside it, the schema of the ONNX project (https://github.com/onnx/onnx, onnx/onnx.proto, Apache-2.0).
// Its output is committed, since it changes only when the schema is replaced, and the compiler brings 50 packages: npx fetches them for the one time.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../src/io/onnx/generated/", import.meta.url));
const without = ["decode", "verify", "convert", "delimited", "comments", "typeurl", "service"].map(
  (part) => `--no-${part}`,
);
const command = [
  "--yes",
  "--package=protobufjs-cli@2",
  "pbjs",
  "-t",
  "static-module",
  "-w",
  "es6",
  "-r",
  "evenkeel",
  "--force-number",
  ...without,
];
const { status, stdout, stderr } = spawnSync("npx", [...command, `${folder}onnx.proto`], { encoding: "utf8" });
if (status !== 0) throw new Error(stderr);
const head = `/*! Made by scripts/onnx-schema.mjs from onnx.proto of the ONNX project, SPDX-License-Identifier: Apache-2.0, see LICENSE beside it or https://www.apache.org/licenses/LICENSE-2.0 */
// @ts-nocheck
`;
const version = readFileSync(`${folder}onnx.proto`, "utf8").match(/IR_VERSION = (\w+)/)?.[1];
const body = stdout
  .replace(/^\/\*eslint.*\n/, "")
  .replace("export const onnx = ", "export const onnx: any = ")
  .replace(/\nexport \{[^}]*\};/, "")
  .trimEnd();
writeFileSync(`${folder}schema.ts`, `${head}${body}\n`);
process.stdout.write(`schema.ts: ${body.split("\n").length} lines, IR version ${version}\n`);
