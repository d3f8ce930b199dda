import { describe, expect, test } from "vitest";
import { F, nn, ones, randn, type Tensor, tensor } from "../../src/index.ts";

const labels = tensor([2n, 0n, 1n]);
const [logits, other] = [randn([3, 4]), randn([3, 4])];
const [chances, targets] = [F.sigmoid(logits), F.sigmoid(other)];
const [perClass, perElement] = [tensor([1, 2, 3, 4]), tensor([0.5, 1, 2, 4])];

/** A loss, the function that it stands for, and what both are given. */
const cases: [string, nn.Module, Tensor][] = [
  ["CrossEntropyLoss", new nn.CrossEntropyLoss(), F.crossEntropy(logits, labels)],
  [
    "CrossEntropyLoss with everything",
    new nn.CrossEntropyLoss({ weight: perClass, ignoreIndex: 0, reduction: "sum", labelSmoothing: 0.2 }),
    F.crossEntropy(logits, labels, { weight: perClass, ignoreIndex: 0, reduction: "sum", labelSmoothing: 0.2 }),
  ],
  [
    "NLLLoss with everything",
    new nn.NLLLoss({ weight: perClass, ignoreIndex: 1, reduction: "none" }),
    F.nllLoss(logits, labels, { weight: perClass, ignoreIndex: 1, reduction: "none" }),
  ],
  ["MSELoss", new nn.MSELoss({ reduction: "sum" }), F.mseLoss(logits, other, { reduction: "sum" })],
  ["L1Loss", new nn.L1Loss({ reduction: "none" }), F.l1Loss(logits, other, { reduction: "none" })],
  ["SmoothL1Loss", new nn.SmoothL1Loss({ beta: 0.3 }), F.smoothL1Loss(logits, other, { beta: 0.3 })],
  ["HuberLoss", new nn.HuberLoss({ delta: 0.3 }), F.huberLoss(logits, other, { delta: 0.3 })],
  ["BCELoss", new nn.BCELoss({ weight: perElement }), F.binaryCrossEntropy(chances, targets, { weight: perElement })],
  [
    "BCEWithLogitsLoss",
    new nn.BCEWithLogitsLoss({ weight: perElement, posWeight: perClass, reduction: "sum" }),
    F.binaryCrossEntropyWithLogits(logits, targets, { weight: perElement, posWeight: perClass, reduction: "sum" }),
  ],
];

const inputsOf = (name: string): [Tensor, Tensor] => {
  if (/^(Cross|NLL)/.test(name)) return [logits, labels];
  if (name.startsWith("BCE")) return [name === "BCELoss" ? chances : logits, targets];
  return [logits, other];
};

describe("losses give what their functions give, and know their options", () => {
  test.each(cases)("%s", (name, loss, expected) => {
    expect(loss.forward(...inputsOf(name)).toArray()).toEqual(expected.toArray());
  });
});

test("weights are buffers: converted and loaded with the module", () => {
  const loss = new nn.CrossEntropyLoss({ weight: ones([4]) });
  expect(loss.parameters()).toEqual([]);
  expect(loss.namedBuffers().map(([name]) => name)).toEqual(["weight"]);
  loss.loadStateDict({ weight: perClass });
  expect(loss.weight?.toArray()).toEqual([1, 2, 3, 4]);
  expect(loss.double().weight?.dtype).toBe("float64");
  expect(loss.forward(logits.double(), labels).dtype).toBe("float64");
});
