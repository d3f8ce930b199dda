import { F, manualSeed, nn, noGrad, optim, randn, sigmoid, tensor } from "evenkeel";
import { expect } from "vitest";
import { drawn, shown, test } from "./harness.ts";

/** The walk's last distance from the lowest point, as a part of the first, by steps written out here. */
function distanceLeft(normalized: boolean, ratio: number, lr: number): number {
  manualSeed(3);
  const even = randn([64, 2]);
  const y = even.matmul(tensor([[1.2], [0.8]])).add(randn([64, 1]).mul(0.2));
  const raw = even.mul(tensor([1, ratio]));
  const x = normalized ? new nn.BatchNorm1d(2, { affine: false }).forward(raw) : raw;
  const walk = (steps: number, rate: number) => {
    const layer = new nn.Linear(2, 1, { bias: false });
    noGrad(() => layer.weight.copy_(tensor([[-1.5, 2]])));
    const optimizer = new optim.SGD(layer.parameters(), { lr: rate });
    for (let step = 0; step < steps; step++) {
      optimizer.zeroGrad();
      F.mseLoss(layer.forward(x), y).backward();
      optimizer.step();
    }
    return [...(layer.weight.toTypedArray() as Float32Array)];
  };
  // Far more steps than the page takes end at the lowest point.
  const lowest = walk(3000, 0.5 / (normalized ? 1 : ratio ** 2));
  const distance = (w: number[]) => Math.hypot(w[0] - lowest[0], w[1] - lowest[1]);
  return distance(walk(40, lr)) / distance([-1.5, 2]);
}

test("the walks end where the library's gradient descent ends", async ({ visit }) => {
  const page = await visit("why");
  expect(await shown(page, "left-before")).toBeCloseTo(distanceLeft(false, 5, 0.04) * 100, 1);
  await page.getByLabel("Learning rate, as a number").nth(1).fill("0.02");
  await page.keyboard.press("Tab");
  // The page shows two digits.
  expect(Math.abs((await shown(page, "left-after")) / (distanceLeft(true, 5, 0.02) * 100) - 1)).toBeLessThan(0.05);
});

test("a learning rate beyond the limit diverges, and the limit follows the scale", async ({ visit }) => {
  const page = await visit("why");
  const limit = await shown(page, "limit-before");
  await page.getByLabel("Learning rate, as a number").first().fill("0.05");
  await page.keyboard.press("Tab");
  await drawn(page);
  expect(await page.locator('[data-stat="left-before"]').innerText()).toBe("diverges");
  await page.getByLabel("Second feature is larger by").focus();
  for (let i = 0; i < 40; i++) await page.keyboard.press("ArrowLeft");
  expect(await shown(page, "limit-before")).toBeGreaterThan(5 * limit);
  expect(await shown(page, "condition-before")).toBeLessThan(1.5);
});

test("the starting point moves by keyboard", async ({ visit }) => {
  const page = await visit("why");
  const start = page.getByRole("button", { name: /^Starting point/ }).first();
  await start.focus();
  await page.keyboard.press("ArrowRight");
  await drawn(page);
  await page.keyboard.press("ArrowUp");
  await drawn(page);
  expect(await start.getAttribute("aria-label")).toContain("w₁ −1.4, w₂ 2.1");
});

test("the slopes of the sigmoid are its gradients", async ({ visit }) => {
  const page = await visit("why");
  manualSeed(7);
  const raw = randn([40, 1]).mul(2.5).add(4);
  const slope = (x: typeof raw) => {
    const s = sigmoid(x);
    return s.mul(s.neg().add(1)).mean().item();
  };
  expect(await shown(page, "slope-raw")).toBeCloseTo(slope(raw), 4);
  expect(await shown(page, "slope-centred")).toBeCloseTo(slope(raw.sub(raw.mean())), 4);
  const norm = new nn.BatchNorm1d(1, { affine: false });
  expect(await shown(page, "slope-normalized")).toBeCloseTo(slope(norm.forward(raw)), 4);
});
