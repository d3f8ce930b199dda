import { Generator, nn, randn, type Tensor, varMean } from "evenkeel";
import { expect } from "vitest";
import { shown, test } from "./harness.ts";

/** The feature maps that the page shows: [samples, 6, side, side]. */
function maps(samples: number, side: number): Tensor {
  const generator = new Generator(5);
  const values = randn([4, 6, 3, 3], { generator });
  const levels = randn([1, 6, 1, 1], { generator });
  const contrasts = randn([4, 1, 1, 1], { generator }).mul(0.4).exp();
  const all = values.mul(contrasts).add(levels);
  return all.narrow(0, 0, samples).narrow(2, 0, side).narrow(3, 0, side).contiguous();
}

/** The chosen place at first: sample 1, channel 1, the middle. */
const PLACE = 4;
const at = (tensor: Tensor, place: number) => (tensor.toTypedArray() as Float32Array)[place];

test("every normalization shows the library's output and its statistics", async ({ visit }) => {
  const page = await visit("shapes");
  const x = maps(4, 3);
  const cases = [
    ["Batch", new nn.BatchNorm2d(6, { affine: false }), 36, "[6]"],
    ["Layer", new nn.LayerNorm([6, 3, 3], { elementwiseAffine: false }), 54, "[4]"],
    ["Instance", new nn.InstanceNorm2d(6), 9, "[4, 6]"],
    ["Group", new nn.GroupNorm(2, 6, { affine: false }), 27, "[4, 2]"],
    ["RMS", new nn.RMSNorm([6, 3, 3], { elementwiseAffine: false, eps: 1e-5 }), 54, "[4]"],
  ] as const;
  for (const [name, layer, pool, shape] of cases) {
    await page.getByRole("radio", { name, exact: true }).check({ force: true });
    expect(await shown(page, "x")).toBeCloseTo(at(x, PLACE), 4);
    expect([name, await shown(page, "y")]).toEqual([name, expect.closeTo(at(layer.forward(x), PLACE), 4)]);
    expect(await shown(page, "pool")).toBe(pool);
    expect(await page.locator(".numbers-below h3").first().innerText()).toContain(shape);
  }
});

test("the table of means is the library's", async ({ visit }) => {
  const page = await visit("shapes");
  const [, means] = varMean(maps(4, 3), [0, 2, 3]);
  const cells = await page.locator('[data-stat="means"] td').allInnerTexts();
  const expected = [...(means.toTypedArray() as Float32Array)].map((mean) => mean.toFixed(2).replace("-", "−"));
  expect(cells).toEqual(expected);
});

test("other samples move batch norm's output and no other's", async ({ visit }) => {
  const page = await visit("shapes");
  expect(Math.abs(await shown(page, "moved-batch"))).toBeGreaterThan(0.01);
  for (const kind of ["layer", "instance", "group", "rms"]) expect(await shown(page, `moved-${kind}`)).toBe(0);
});

test("one sample of one position breaks batch norm, in the library's words", async ({ visit }) => {
  const page = await visit("shapes");
  await page.getByLabel("Samples N", { exact: true }).focus();
  await page.keyboard.press("Home");
  expect(await shown(page, "pool")).toBe(9);
  await page.getByLabel("Positions H × W").focus();
  await page.keyboard.press("Home");
  expect(await page.locator('[data-stat="error"]').innerText()).toContain(
    "Expected more than 1 value per channel when training, got input size torch.Size([1, 6, 1, 1])",
  );
  await page.getByRole("radio", { name: "Layer" }).check({ force: true });
  expect(await shown(page, "y")).toBeTypeOf("number");
});

test("a drag turns the tensor, a tap chooses a cell", async ({ visit }) => {
  const page = await visit("shapes");
  const canvas = page.locator(".tensor canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = (await canvas.boundingBox())!;
  const turn = page.getByLabel("Turn");
  const before = await turn.inputValue();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 60, box.y + box.height / 2 + 20);
  await page.mouse.up();
  expect(Number(await turn.inputValue())).toBe(Number(before) + 18);
  const sample = page.getByLabel("Chosen sample n", { exact: true });
  expect(await sample.inputValue()).toBe("1");
  const last = await lastSampleAt(page);
  await page.mouse.click(box.x + last.x, box.y + last.y);
  expect(await sample.inputValue()).toBe("4");
});

/** A point on the last sample: coloured, and the farthest to the right. */
function lastSampleAt(page: import("playwright-core").Page): Promise<{ x: number; y: number }> {
  return page.locator(".tensor canvas").evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const { data, width, height } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    const isBlue = (x: number, y: number) => {
      const i = 4 * (y * width + x);
      return data[i + 3] > 0 && data[i + 2] - data[i] > 90;
    };
    for (let x = width - 1; x > 0; x--) {
      for (let y = 0; y < height; y++) if (isBlue(x, y) && isBlue(x - 8, y)) return { x: x - 8, y };
    }
    throw new Error("nothing blue");
  });
}
