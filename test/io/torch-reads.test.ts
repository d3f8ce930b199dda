import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { io, nn, optim, randn, tensor } from "../../src/index.ts";
import { contents, golden, widened } from "./golden.ts";

/** Debian's Python, which has PyTorch; another one by EVENKEEL_PYTHON. */
const python = process.env.EVENKEEL_PYTHON ?? "/usr/bin/python3";
const hasTorch = spawnSync(python, ["-c", "import torch"]).status === 0;
if (!hasTorch)
  console.warn(
    `PyTorch is missing in ${python}: what it makes of our files is not tested (EVENKEEL_PYTHON names another Python)`,
  );

const folder = mkdtempSync(join(tmpdir(), "evenkeel-torch-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What PyTorch says of the files, in one go: starting it takes seconds. */
function torchReads(paths: readonly string[]): unknown[] {
  const script = fileURLToPath(new URL("torch-reads.py", import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [script, ...paths], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

test.skipIf(!hasTorch)("PyTorch loads what we write: keys, order, dtypes, strides, sharing, versions", async () => {
  const names = ["bn.pt", "views.pt", "trainer.pth", "dtypes.pt"];
  const paths = names.map((name) => join(folder, name));
  for (const [i, name] of names.entries()) await io.save(paths[i], await io.load<object>(golden("1.13", name)));

  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 2));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.25 });
  for (let i = 0; i < 2; i++) {
    optimizer.zeroGrad();
    model
      .forward(randn([5, 3]))
      .square()
      .sum()
      .backward();
    optimizer.step();
  }
  const state = join(folder, "state.pt");
  await io.saveTrainingState(state, { model, optimizer }, { epoch: 1, curve: tensor([1, 2]) });

  const found = torchReads([...paths, state]);
  const expected = contents("1.13");
  for (const [i, name] of names.entries()) expect(found[i], name).toEqual(widened(expected[name]));
  const resumed = [
    ["lr", 0.25],
    ["step", 3],
  ];
  expect(found[names.length]).toEqual({ dict: resumed, kind: "dict" });
});
