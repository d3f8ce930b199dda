import { expect, test } from "vitest";
import { train } from "../../examples/03-port.ts";
import { readGolden } from "../golden/read.ts";

test("the port of a PyTorch script draws PyTorch's curve of losses", async () => {
  const [golden] = readGolden<{ losses: number[]; accuracy: number }>("curve");
  const lines: string[] = [];
  const { losses, accuracy } = await train(golden.losses.length, (line) => lines.push(line));
  expect(losses).toHaveLength(200);
  losses.forEach((loss, step) => {
    const off = Math.abs(loss - golden.losses[step]) / golden.losses[step];
    expect(off, `step ${step}: ${loss}, PyTorch's ${golden.losses[step]}`).toBeLessThan(1e-4);
  });
  // A single image of the 10,000 may fall to the other side.
  expect(Math.abs(accuracy - golden.accuracy)).toBeLessThan(1.5e-4);
  expect(lines).toHaveLength(20);
  expect(lines[0]).toMatch(/^step {2}10 {2}loss 0\.\d{4}$/);
});
