import { expect, test } from "vitest";
import { F, nn, tensor, zeros } from "../../src/index.ts";

/* What `npm run test:torch` once found, with PyTorch's numbers. */

test("instance norm averages the statistics of one channel over several images", () => {
  const layer = new nn.InstanceNorm1d(1, { trackRunningStats: true });
  layer.forward(tensor([3, -1, 4, -3]).view([2, 1, 2]));
  expect(layer.runningMean?.item()).toBeCloseTo(0.075, 6);
  expect(layer.runningVar?.item()).toBeCloseTo(2.525, 6);
});

test("the gradient of a p-norm is 0 at 0", () => {
  const x = tensor([1, 0, -4], { requiresGrad: true });
  F.normalize(x, { p: 0.5, dim: 0 }).backward(tensor([1, 2, 3]));
  [0.5185186, 0.2222222, 0.1296296].forEach((expected, i) => {
    expect(x.grad?.at(i).item()).toBeCloseTo(expected, 6);
  });
});

test("rows of no elements end", () => {
  const x = zeros([2, 0], { requiresGrad: true });
  F.layerNorm(x, 0, { weight: zeros([0], { requiresGrad: true }) }).backward(zeros([2, 0]));
  expect(x.grad?.shape).toEqual([2, 0]);
});

test("no channels at all", () => {
  expect(F.batchNorm(zeros([2, 0]), null, null, { training: true }).shape).toEqual([2, 0]);
});

test("instance norm takes momentum null for 0", () => {
  const layer = new nn.InstanceNorm1d(1, { momentum: null, trackRunningStats: true });
  layer.forward(tensor([3, -1, 4, -3]).view([2, 1, 2]));
  expect([layer.runningMean?.item(), layer.runningVar?.item()]).toEqual([0, 1]);
});

test("group norm with a bias alone has gradients", () => {
  const [x, bias] = [tensor([1, 2, 4, 8]).view([1, 4]), zeros([4])].map((t) => t.requiresGrad_());
  F.groupNorm(x, 2, { bias }).backward(tensor([[1, 2, 3, 5]]));
  expect(bias.grad?.toArray()).toEqual([1, 2, 3, 5]);
});

test("an empty input of another number of channels is refused", () => {
  expect(() => new nn.BatchNorm2d(3).forward(zeros([0, 5, 2, 2]))).toThrow(
    "running_mean should contain 5 elements not 3",
  );
});

test("group norm of no channels, samples or positions has a gradient of nothing", () => {
  for (const { shape, gWeight } of [
    { shape: [1, 0, 2], gWeight: [] },
    { shape: [0, 2, 2], gWeight: [0, 0] },
    { shape: [2, 2, 0], gWeight: [Number.NaN, Number.NaN] },
  ]) {
    const layer = new nn.GroupNorm(1, shape[1]);
    const x = zeros(shape, { requiresGrad: true });
    layer.forward(x).sum().backward();
    expect(x.grad?.shape).toEqual(shape);
    expect(layer.weight?.grad?.toArray()).toEqual(gWeight);
  }
});
