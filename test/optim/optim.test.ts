import { describe, expect, test } from "vitest";
import { optim, type Tensor, tensor } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden, fromGolden } from "../nn/compare.ts";

interface OptimizerCase {
  kind: "optimizer";
  name: string;
  optimizer: "SGD" | "Adam" | "AdamW" | "RMSprop";
  options: object;
  groups: { params: number[] }[];
  initial: Golden[];
  grads: (Golden | null)[][];
  params: Golden[][];
}

interface SchedulerCase {
  kind: "scheduler";
  name: string;
  scheduler: "StepLR" | "CosineAnnealingLR" | "OneCycleLR";
  args: [never];
  options: object;
  baseLrs: number[];
  lrs: number[][];
  momentums?: number[];
}

const cases = readGolden<OptimizerCase | SchedulerCase>("optim");

describe("optimizers give PyTorch's parameters over five steps", () => {
  const optimizers = cases.filter((one): one is OptimizerCase => one.kind === "optimizer");
  test.each(optimizers)("$name", (golden) => {
    const params = golden.initial.map((initial) => fromGolden(initial).requiresGrad_());
    const groups = golden.groups.map((group) => ({ ...group, params: group.params.map((i) => params[i]) }));
    const optimizer = new optim[golden.optimizer](groups, golden.options);
    golden.grads.forEach((grads, step) => {
      params.forEach((param, i) => {
        const grad = grads[i];
        param.grad = grad && fromGolden(grad);
      });
      optimizer.step();
      params.forEach((param, i) => {
        expectGolden(param, golden.params[step][i], `parameter ${i} after step ${step + 1}`, limitOf(golden));
      });
    });
  });
});

/** float32 is PyTorch's to the bit; in float64 PyTorch fuses multiplications with additions, which JavaScript cannot. */
function limitOf({ initial }: OptimizerCase): number {
  return initial[0].dtype === "float32" ? 0 : 1e-15;
}

describe("schedulers give PyTorch's learning rates", () => {
  const schedulers = cases.filter((one): one is SchedulerCase => one.kind === "scheduler");
  test.each(schedulers)("$name", (golden) => {
    const groups = golden.baseLrs.map((lr) => ({ params: [leaf()], lr }));
    const optimizer = new optim.SGD(groups, { lr: 0.1, momentum: 0.9 });
    const scheduler = new optim[golden.scheduler](optimizer, ...golden.args, golden.options);
    golden.lrs.forEach((lrs, step) => {
      if (step > 0) scheduler.step();
      optimizer.paramGroups.forEach((group, i) => expectNear(group.lr, lrs[i], `lr after ${step}`));
      expect(scheduler.getLastLr()).toEqual(optimizer.paramGroups.map((group) => group.lr));
      if (golden.momentums) expectNear(optimizer.paramGroups[0].momentum, golden.momentums[step], `momentum ${step}`);
    });
  });
});

function leaf(): Tensor {
  return tensor([0], { requiresGrad: true });
}

function expectNear(found: number, expected: number, what: string): void {
  expect(Math.abs(found - expected), `${what}: ${found}, expected ${expected}`).toBeLessThanOrEqual(
    1e-12 * Math.abs(expected),
  );
}
