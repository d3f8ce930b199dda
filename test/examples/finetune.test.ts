import { expect, test } from "vitest";
import { run, table } from "../../examples/04-finetune.ts";

test("04-finetune: PyTorch's checkpoint loads; adaptation wins back most of what three shifts cost", async () => {
  const lines: string[] = [];
  const { clean, rows } = await run((line) => lines.push(line), 500, 400, 5);
  expect(clean).toBeGreaterThan(97);
  expect(rows).toHaveLength(3);
  for (const { shift, frozen, adapted, tent, tuned } of rows) {
    expect(frozen, shift).toBeLessThan(45);
    for (const better of [adapted, tent, tuned]) expect(better, shift).toBeGreaterThan(frozen + 0.5 * (clean - frozen));
  }
  expect(lines).toHaveLength(13);
  expect(lines[0]).toMatch(/^ *[\d.]+ s {2}clean: 9\d\.\d %$/);
  const printed = table(clean, rows).split("\n");
  expect(printed).toHaveLength(5);
  expect(printed[2]).toMatch(/^noise, σ = 0\.3 +\d+\.\d +\d+\.\d +\d+\.\d +\d+\.\d {3}\d+ %$/);
}, 60_000);
