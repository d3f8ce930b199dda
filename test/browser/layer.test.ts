import { Generator, nn, noGrad, randn, type Tensor, variance } from "evenkeel";
import { expect } from "vitest";
import { shown, test } from "./harness.ts";

/** The batch that the page draws first: 32 examples of mean 3 and spread 1.5. */
const batch = (size = 32) =>
  randn([128, 1], { generator: new Generator(2) })
    .narrow(0, 0, size)
    .mul(1.5)
    .add(3);

function layerWith(gamma: number, beta: number): nn.BatchNorm1d {
  const layer = new nn.BatchNorm1d(1);
  noGrad(() => {
    layer.weight!.fill_(gamma);
    layer.bias!.fill_(beta);
  });
  return layer;
}

const example = (y: Tensor, i: number) => (y.toTypedArray() as Float32Array)[i];

test.for([false, true])(
  "the three steps are nn.BatchNorm1d's, also without isolation (%s)",
  async (plain, { visit }) => {
    const page = await visit("layer", { plain });
    const x = batch();
    expect(await shown(page, "mean")).toBeCloseTo(x.mean().item(), 5);
    expect(await shown(page, "variance")).toBeCloseTo(variance(x, undefined, { correction: 0 }).item(), 5);
    expect(await shown(page, "y")).toBe(example(layerWith(1.5, -1).forward(x), 2));

    await page.getByLabel("Scale γ, as a number").fill("-0.5");
    await page.getByLabel("Shift β, as a number").fill("2");
    await page.getByLabel("Follow example").focus();
    await page.keyboard.press("ArrowRight");
    expect(await shown(page, "y")).toBe(example(layerWith(-0.5, 2).forward(x), 3));
  },
);

test("the running statistics go step by step as the layer's", async ({ visit }) => {
  const page = await visit("layer");
  const layer = new nn.BatchNorm1d(1);
  const generator = new Generator(1);
  const see = (momentum: number | null) => {
    layer.momentum = momentum;
    layer.forward(randn([32, 1], { generator }).mul(1.5).add(3));
  };
  const expectSame = async () => {
    expect(await shown(page, "running-mean")).toBeCloseTo(layer.runningMean!.item(), 4);
    expect(await shown(page, "running-variance")).toBeCloseTo(layer.runningVar!.item(), 4);
  };
  for (let i = 0; i < 10; i++) see(0.1);
  await expectSame();
  await page.getByRole("button", { name: "One batch" }).click();
  see(0.1);
  await expectSame();
  await page.getByRole("radio", { name: "cumulative" }).check({ force: true });
  await page.getByRole("button", { name: "20 batches" }).click();
  for (let i = 0; i < 20; i++) see(null);
  await expectSame();
  await page.getByRole("button", { name: "Forget all" }).click();
  expect(await shown(page, "running-mean")).toBe(0);
  expect(await shown(page, "running-variance")).toBe(1);
});

test("training and evaluation differ, and come together as the running statistics find the data", async ({ visit }) => {
  const page = await visit("layer");
  const apart = await shown(page, "apart");
  expect(apart).toBeGreaterThan(0.5);
  await expect.poll(() => page.getByText("have not found the data yet").count()).toBe(1);
  for (let i = 0; i < 3; i++) await page.getByRole("button", { name: "20 batches" }).click();
  expect(await shown(page, "apart")).toBeLessThan(apart / 2);
  expect(await page.getByText("have not found the data yet").count()).toBe(0);
});

test("a batch of one is refused in the library's words, and evaluated", async ({ visit }) => {
  const page = await visit("layer", { language: "zh-CN" });
  let message = "";
  try {
    new nn.BatchNorm1d(1).forward(batch(1));
  } catch (error) {
    message = (error as Error).message;
  }
  expect(await page.locator('[data-stat="alone-error"]').innerText()).toBe(message);
  await page.getByLabel("批大小").focus();
  await page.keyboard.press("Home");
  expect(await page.getByRole("alert").innerText()).toContain(message);
  expect(await shown(page, "alone-y")).toBeTypeOf("number");
});

test("the steps play one after the other", async ({ visit }) => {
  const page = await visit("layer", { still: false });
  await page.getByRole("button", { name: "Play the steps" }).click();
  await expect.poll(() => page.locator(".step-later").count()).toBe(3);
  await expect.poll(() => page.locator(".step-later").count(), { timeout: 10_000 }).toBe(0);
});
