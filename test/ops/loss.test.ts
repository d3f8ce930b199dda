import { describe, expect, it } from "vitest";
import { tensor, zeros } from "../../src/index.ts";
import { crossEntropy, nllLoss } from "../../src/ops/cross-entropy.ts";
import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  huberLoss,
  l1Loss,
  mseLoss,
  type Reduction,
  smoothL1Loss,
} from "../../src/ops/loss.ts";
import { softmax } from "../../src/ops/softmax.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { checkGradients, leaf, random, testGolden } from "./checking.ts";

const loss = (f: (x: Tensor, t: Tensor, options?: object) => Tensor) => (inputs: Tensor[], options: object) =>
  f(inputs[0], inputs[1], options);

describe("golden", () => {
  testGolden({
    crossEntropy: loss(crossEntropy),
    nllLoss: loss(nllLoss),
    mseLoss: loss(mseLoss),
    binaryCrossEntropy: loss(binaryCrossEntropy),
    binaryCrossEntropyWithLogits: loss(binaryCrossEntropyWithLogits),
  });
});

const labels = (...values: number[]) => tensor(values, { dtype: "int64" });

describe("gradients", () => {
  const reductions: Reduction[] = ["mean", "sum", "none"];

  it("crossEntropy and nllLoss", () => {
    const weight = random([4], 1, "float64", 0.5, 2);
    for (const reduction of reductions) {
      for (const more of [{}, { weight }, { ignoreIndex: 2 }, { weight, ignoreIndex: 1 }]) {
        checkGradients((x) => nllLoss(x, labels(0, 2, 1), { reduction, ...more }), [leaf([3, 4], 2)]);
        const options = { reduction, labelSmoothing: 0.2, ...more };
        checkGradients((x) => crossEntropy(x, labels(0, 2, 1), options), [leaf([3, 4], 3)]);
      }
    }
    const spatial = tensor(
      [
        [0, 3],
        [2, 1],
      ],
      { dtype: "int64" },
    );
    checkGradients((x) => crossEntropy(x, spatial, { weight }), [leaf([2, 4, 2], 4)]);
    checkGradients((x) => crossEntropy(x, tensor(3, { dtype: "int64" })), [leaf([4], 5)]);
  });

  it("crossEntropy against probabilities", () => {
    const weight = random([4], 1, "float64", 0.5, 2);
    for (const reduction of reductions) {
      checkGradients(
        (x, t) => crossEntropy(x, softmax(t, 1), { reduction, weight, labelSmoothing: 0.1 }),
        [leaf([2, 4], 6), leaf([2, 4], 7)],
      );
    }
  });

  it("mse, l1, smooth l1, huber", () => {
    for (const reduction of reductions) {
      checkGradients((x, t) => mseLoss(x, t, { reduction }), [leaf([2, 3], 8), leaf([2, 3], 9)]);
      checkGradients((x, t) => l1Loss(x, t, { reduction }), [leaf([2, 3], 8), leaf([2, 3], 9)]);
      checkGradients((x, t) => smoothL1Loss(x, t, { reduction, beta: 0.7 }), [leaf([2, 3], 8), leaf([2, 3], 9)]);
      checkGradients((x, t) => huberLoss(x, t, { reduction, delta: 0.7 }), [leaf([2, 3], 8), leaf([2, 3], 9)]);
    }
    checkGradients((x, t) => smoothL1Loss(x, t, { beta: 0 }), [leaf([2, 3], 8), leaf([2, 3], 9)]);
  });

  it("binary cross entropy", () => {
    const weight = random([3], 10, "float64", 0.5, 2);
    const posWeight = random([3], 11, "float64", 0.5, 2);
    for (const reduction of reductions) {
      const t = () => leaf([2, 3], 13, 0.1, 0.9);
      checkGradients((x, y) => binaryCrossEntropy(x, y, { reduction, weight }), [leaf([2, 3], 12, 0.1, 0.9), t()]);
      checkGradients((x, y) => binaryCrossEntropyWithLogits(x, y, { reduction }), [leaf([2, 3], 14), t()]);
      const options = { reduction, weight, posWeight };
      checkGradients((x, y) => binaryCrossEntropyWithLogits(x, y, options), [leaf([2, 3], 14), t()]);
    }
  });
});

describe("values", () => {
  it("of smooth l1 and huber", () => {
    const [x, t] = [tensor([0, 0.5, 3]), tensor([0, 0, 0])];
    expect(smoothL1Loss(x, t, { reduction: "none", beta: 2 }).toArray()).toEqual([0, 0.0625, 2]);
    expect(huberLoss(x, t, { reduction: "none", delta: 2 }).toArray()).toEqual([0, 0.125, 4]);
    expect(l1Loss(x, t).item()).toBeCloseTo(3.5 / 3, 6);
  });

  it("stay exact for confident logits", () => {
    const x = tensor([-30, 30, -200, 200]);
    const t = tensor([0, 1, 0, 1]);
    const each = binaryCrossEntropyWithLogits(x, t, { reduction: "none" }).toArray();
    expect(each[0] / Math.exp(-30)).toBeCloseTo(1, 5);
    expect(each[1] / Math.exp(-30)).toBeCloseTo(1, 5);
    expect(each[2]).toBeLessThan(1e-40);
    expect(crossEntropy(tensor([[1000, -1000]]), labels(1)).item()).toBe(2000);
  });

  it("labels of any integer dtype", () => {
    const x = random([2, 3], 1);
    const wanted = crossEntropy(x, labels(2, 0)).item();
    expect(crossEntropy(x, tensor([2, 0], { dtype: "uint8" })).item()).toBe(wanted);
    expect(crossEntropy(x, tensor([2, 0], { dtype: "int32" })).item()).toBe(wanted);
  });

  it("all ignored: NaN, as PyTorch", () => {
    expect(crossEntropy(zeros([2, 3]), labels(-100, -100)).item()).toBeNaN();
    expect(crossEntropy(zeros([2, 3]), labels(-100, -100), { reduction: "sum" }).item()).toBe(0);
  });

  it("inputs and labels that are views", () => {
    const x = random([3, 2], 2);
    const t = tensor(
      [
        [0, 9],
        [2, 9],
      ],
      { dtype: "int64" },
    ).select(1, 0);
    expect(crossEntropy(x.transpose(0, 1), t).item()).toBe(
      crossEntropy(x.transpose(0, 1).contiguous(), labels(0, 2)).item(),
    );
  });
});

describe("bad input gets PyTorch's sentence", () => {
  const x = zeros([2, 3]);
  const sentences: [() => unknown, string][] = [
    [
      () => nllLoss(x, labels(0, 12)),
      "Target 12 is out of bounds.: it stands at position [1] of the target; with 3 classes, labels go from 0 to 2",
    ],
    [() => crossEntropy(x, labels(0, -1)), "Target -1 is out of bounds."],
    [
      () =>
        crossEntropy(
          zeros([2, 3, 2, 2]),
          tensor(
            [
              [
                [0, 0],
                [0, 0],
              ],
              [
                [0, 7],
                [0, 0],
              ],
            ],
            { dtype: "int64" },
          ),
        ),
      "Target 7 is out of bounds.: it stands at position [1, 0, 1]",
    ],
    [() => crossEntropy(x, labels(0, 1, 2)), "Expected input batch_size (2) to match target batch_size (3)."],
    [() => crossEntropy(x, tensor([0, 1])), "expected scalar type Long but found Float"],
    [() => crossEntropy(zeros([3]), labels(1)), "size mismatch (got input: [3], target: [1])"],
    [
      () => crossEntropy(x, labels(0, 1), { weight: zeros([4]) }),
      "weight tensor should be defined either for all 3 classes or no classes but got weight tensor of shape: [4]",
    ],
    [
      () => crossEntropy(zeros([2, 3, 4, 4]), labels(0, 1)),
      "only batches of spatial targets supported (3D tensors) but got targets of dimension: 1",
    ],
    [() => nllLoss(zeros([2, 3, 4]), zeros([2, 5]).long()), "Expected target size [2, 4], got [2, 5]"],
    [() => nllLoss(x, zeros([2, 3]).long()), "0D or 1D target tensor expected, multi-target not supported"],
    [
      () => crossEntropy(x, labels(0, 1), { labelSmoothing: 1.5 }),
      "label_smoothing must be between 0.0 and 1.0. Got: 1.5",
    ],
    [() => crossEntropy(x, labels(0, 1), { reduction: "avg" as Reduction }), "avg is not a valid value for reduction"],
    [
      () => crossEntropy(x, zeros([2, 3]).long()),
      "Expected floating point type for target with class probabilities, got Long",
    ],
    [() => crossEntropy(x, x, { ignoreIndex: 1 }), "ignore_index is not supported for floating point target"],
    [() => nllLoss(zeros([]), tensor(0, { dtype: "int64" })), "Expected 1 or more dimensions (got 0)"],
    [() => nllLoss(zeros([1, 2]).long(), labels(0)), "\"nll_loss_out_frame\" not implemented for 'Long'"],
    [
      () => mseLoss(x, zeros([4])),
      "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1",
    ],
    [() => mseLoss(labels(1), labels(2)), "\"mse_cpu\" not implemented for 'Long'"],
    [
      () => binaryCrossEntropy(x, zeros([2, 1])),
      "Using a target size (torch.Size([2, 1])) that is different to the input size (torch.Size([2, 3])) is deprecated.",
    ],
    [() => binaryCrossEntropy(x.add(2), x), "all elements of input should be between 0 and 1"],
    [() => binaryCrossEntropy(x.add(NaN), x), "all elements of input should be between 0 and 1"],
    [() => binaryCrossEntropy(x, x.double()), "Found dtype Double but expected Float"],
    [
      () => binaryCrossEntropyWithLogits(x, zeros([2, 1])),
      "Target size (torch.Size([2, 1])) must be the same as input size (torch.Size([2, 3]))",
    ],
    [() => huberLoss(x, x, { delta: -1 }), "huber_loss does not support non-positive values for delta."],
    [() => smoothL1Loss(x, x, { beta: -1 }), "smooth_l1_loss does not support negative values for beta."],
  ];
  it.each(sentences.map(([run, sentence]) => [sentence, run] as const))("%s", (sentence, run) => {
    expect(run).toThrow(sentence);
  });
});
