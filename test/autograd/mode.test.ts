import { expect, it } from "vitest";
import { enableGrad, isGradEnabled, noGrad, tensor } from "../../src/index.ts";

const x = tensor([1], { requiresGrad: true });

it("noGrad and enableGrad nest", () => {
  expect(isGradEnabled()).toBe(true);
  noGrad(() => {
    expect(x.mul(2).requiresGrad).toBe(false);
    enableGrad(() => expect(x.mul(2).requiresGrad).toBe(true));
    expect(isGradEnabled()).toBe(false);
  });
  expect(x.mul(2).requiresGrad).toBe(true);
});

it("the mode comes back after an error", () => {
  expect(() =>
    noGrad(() => {
      throw new Error("inside");
    }),
  ).toThrow("inside");
  expect(isGradEnabled()).toBe(true);
});

it("holds until an async body is done", async () => {
  const running = noGrad(async () => {
    await Promise.resolve();
    return x.mul(2).requiresGrad;
  });
  expect(await running).toBe(false);
  expect(isGradEnabled()).toBe(true);
  await expect(noGrad(() => Promise.reject(new Error("late")))).rejects.toThrow("late");
  expect(isGradEnabled()).toBe(true);
});

it("returns what the body returns", () => {
  expect(noGrad(() => 3)).toBe(3);
});
