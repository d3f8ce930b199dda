import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { data, F, Generator, manualSeed, nn, noGrad, optim, runtimeInfo, type Tensor, tidy } from "../../src/index.ts";
import { mlp } from "../../src/study/networks.ts";
import { seriousFaults, shown, test } from "./harness.ts";

const STEPS = 12;

async function train(page: Page): Promise<void> {
  await page.getByRole("button", { name: /^(Train|开始训练)$/ }).click();
}

async function pause(page: Page): Promise<void> {
  await page.getByRole("button", { name: /^(Pause|暂停)$/ }).click();
}

const accuracy = async (page: Page, side: 0 | 1) => Number(await page.locator(`[data-accuracy="${side}"]`).innerText());
const lossOf = async (page: Page, side: 0 | 1) =>
  Number(await page.locator(`[data-side="${side}"]`).getAttribute("data-loss"));

/** An IDX file of bytes. */
function idx(sizes: readonly number[], value: (i: number) => number): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.set([0, 0, 8, sizes.length]);
  for (const [d, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * d);
  const count = sizes.reduce((a, b) => a * b, 1);
  return Buffer.concat([header, Uint8Array.from({ length: count }, (_, i) => value(i))]);
}

const images = (count: number) => ({
  name: "train-images-idx3-ubyte",
  mimeType: "",
  buffer: idx([count, 28, 28], (i) => (i * 37) % 256),
});
const labels = (count: number, most = 10) => ({
  name: "train-labels-idx1-ubyte",
  mimeType: "",
  buffer: idx([count], (i) => i % most),
});

async function library(): Promise<{ losses: number[]; accuracies: number[] }> {
  const read = (name: string) => data.parseIdx(readFileSync(`lab/public/mnist/${name}.gz`), name);
  const set = new data.ImageDataset(await read("train-images"), await read("train-labels"));
  const tests = new data.ImageDataset(await read("test-images"), await read("test-labels"));
  const losses: number[] = [];
  const accuracies: number[] = [];
  for (const norm of ["none", "batch"] as const) {
    const model = mlp(norm, 1, () => new nn.ReLU());
    manualSeed(5);
    for (const layer of model) {
      if (!(layer instanceof nn.Linear)) continue;
      nn.init.normal_(layer.weight, 0, Math.SQRT2 / Math.sqrt(layer.inFeatures));
      if (layer.bias) nn.init.zeros_(layer.bias);
    }
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
    const loader = new data.DataLoader(set, {
      batchSize: 32,
      shuffle: true,
      dropLast: true,
      generator: new Generator(5),
    });
    let step = 0;
    let loss = Number.NaN;
    for await (const [x, y] of loader) {
      optimizer.zeroGrad();
      const output = F.crossEntropy(model.forward(x.flatten(1)) as Tensor, y);
      output.backward();
      optimizer.step();
      loss = output.item();
      if (++step === 10) accuracies.push(evaluate(model, tests));
      if (step === STEPS) break;
    }
    losses.push(loss);
  }
  return { losses, accuracies };
}

function evaluate(model: nn.Module, tests: data.ImageDataset): number {
  model.eval();
  let correct = 0;
  for (let start = 0; start < tests.length; start += 500) {
    const [x, y] = tests.getBatch(Array.from({ length: 500 }, (_, i) => start + i));
    correct += tidy(() => noGrad(() => (model.forward(x.flatten(1)) as Tensor).argmax(1).eq(y).sum().item()));
  }
  model.train();
  return (100 * correct) / tests.length;
}

test("batch norm reaches 95 % of MNIST while the plain network stands still", async ({ visit }) => {
  const page = await visit("train");
  const device = page.locator(".train-device");
  await expect.poll(() => device.innerText()).toContain("WebAssembly");
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  expect(Number(await device.getAttribute("data-threads"))).toBe(Math.min(cores, 8));
  await train(page);
  await page.locator('[data-state="1"]', { hasText: /^95 % after \d+ steps/ }).waitFor({ timeout: 50_000 });
  await pause(page);
  expect(await accuracy(page, 1)).toBeGreaterThan(94);
  expect(await accuracy(page, 0)).toBeLessThan(50);
  // With its thousands apart.
  expect(await page.locator('[data-stat="speed"]').innerText()).toMatch(/^[1-9][\d\u202f ]+$/);
  expect(await shown(page, "epoch")).toBeGreaterThan(1);
  // Pixels of the strips: those of the first layer have colour.
  const painted = await page
    .locator(".train-strip canvas")
    .nth(3)
    .evaluate((canvas: HTMLCanvasElement) =>
      canvas
        .getContext("2d")!
        .getImageData(0, 0, canvas.width, canvas.height)
        .data.some((value) => value > 0),
    );
  expect(painted).toBe(true);
  expect(await seriousFaults(page)).toEqual([]);
});

describe.each([
  ["with threads", false],
  ["without isolation, on one thread", true],
])("%s", (_, plain) => {
  test("the numbers are the library's", async ({ visit }) => {
    const page = await visit("train", { plain, query: "w=1&lr=0.05&opt=momentum&batch=32&seed=5" });
    await page.getByRole("button", { name: "One step" }).isEnabled();
    for (let step = 1; step <= STEPS; step++) {
      await page.getByRole("button", { name: "One step" }).click();
      await expect.poll(() => shown(page, "steps")).toBe(step);
    }
    const simd = await page.locator(".train-device").getAttribute("data-simd");
    const { losses, accuracies } = await library();
    // Another build of the kernels differs in last bits, which training makes larger.
    const digits = simd === runtimeInfo().simd ? 12 : 3;
    for (const side of [0, 1] as const) {
      // The page has losses as float32, which they are.
      expect(await lossOf(page, side)).toBeCloseTo(losses[side], digits);
      expect(await accuracy(page, side)).toBeCloseTo(accuracies[side], 1);
    }
    if (plain) expect(await page.locator(".train-device").innerText()).toContain("not cross-origin isolated");
  });
});

test("play, pause, one step, reset; what is set is in the link", async ({ visit }) => {
  const page = await visit("train", {
    query: "net=cnn&a=instance&b=group&opt=adam&lr=0.002&batch=8&seed=3",
    language: "zh-CN",
  });
  const select = (name: string) => page.getByRole("combobox", { name });
  expect(await select("网络一").inputValue()).toBe("instance");
  expect(await select("网络二").inputValue()).toBe("group");
  await train(page);
  await expect.poll(() => shown(page, "steps"), { timeout: 30_000 }).toBeGreaterThan(3);
  await pause(page);
  await page.getByRole("button", { name: "继续" }).waitFor();
  // The steps that were on their way when it paused are told in the last update.
  await page.locator('.train-bar[data-training="false"]').waitFor();
  const steps = await shown(page, "steps");
  await page.getByRole("button", { name: "走一步" }).click();
  await expect.poll(() => shown(page, "steps")).toBe(steps + 1);
  await page.getByRole("button", { name: "重来" }).click();
  await expect.poll(() => shown(page, "steps")).toBe(0);
  await page.getByRole("radio", { name: "ReLU" }).check({ force: true });
  // An MLP has no positions for instance norm.
  expect(await select("网络一").inputValue()).toBe("none");
  expect(await page.evaluate(() => location.hash)).toBe("#/train?b=group&opt=adam&lr=0.002&batch=8&seed=3");
  expect(await seriousFaults(page)).toEqual([]);
});

test("a network that diverges is said to, and training ends when both have", async ({ visit }) => {
  const page = await visit("train", { query: "a=none&b=rms&w=10&lr=10" });
  await train(page);
  await page.locator('[data-state="0"]', { hasText: "Diverged at step" }).waitFor({ timeout: 30_000 });
  expect(await page.locator('[data-accuracy="0"]').innerText()).toBe("NaN");
});

test("files of one's own: taken if they are images and labels, otherwise it says what is wrong", async ({ visit }) => {
  const page = await visit("train");
  const files = page.locator('.train-data input[type="file"]');
  await files.setInputFiles([images(60), labels(60)]);
  await page.locator('[data-data="own"]', { hasText: "50 images to train on, 10 to test" }).waitFor();
  await page.getByRole("button", { name: "One step" }).click();
  await expect.poll(() => shown(page, "steps")).toBe(1);
  const wrong = page.locator(".train-data [role=alert]");
  await files.setInputFiles([images(60), labels(59)]);
  await expect.poll(() => wrong.innerText()).toContain("do not go together");
  await files.setInputFiles([images(60), labels(60, 11)]);
  await expect.poll(() => wrong.innerText()).toContain("has a label 10");
  await files.setInputFiles([images(60)]);
  await expect.poll(() => wrong.innerText()).toContain("expected images [N, 28, 28] and labels [N]");
  await files.setInputFiles([{ name: "cat.jpg", mimeType: "", buffer: Buffer.from("not an image") }]);
  await expect.poll(() => wrong.innerText()).toContain("cat.jpg is no IDX file");
  await page.getByRole("button", { name: "Back to MNIST" }).click();
  await page.locator('[data-data="shipped"]').waitFor();
  await expect.poll(() => wrong.count()).toBe(0);
});
