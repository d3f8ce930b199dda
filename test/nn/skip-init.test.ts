import { expect, test } from "vitest";
import { defaultGenerator, manualSeed, nn, ones } from "../../src/index.ts";

test("inside skipInit nothing is drawn, outside it is again, after an error too", () => {
  manualSeed(1);
  const before = defaultGenerator.getState();
  const layer = nn.skipInit(() => new nn.Conv2d(3, 4, 3));
  expect(layer.weight.shape).toEqual([4, 3, 3, 3]);
  nn.skipInit(() => [
    nn.init.normal_(ones([2])),
    nn.init.truncNormal_(ones([2])),
    nn.init.xavierUniform_(ones([2, 2])),
  ]);
  expect(defaultGenerator.getState()).toEqual(before);
  expect(() => nn.skipInit(() => new nn.Linear(-1, 2))).toThrow("whole number");
  new nn.Linear(2, 2);
  expect(defaultGenerator.getState()).not.toEqual(before);
});

test("a Sequential of named modules: keys, replacing, adding", () => {
  const model = new nn.Sequential({ conv: new nn.Conv2d(1, 2, 1), norm: new nn.BatchNorm2d(2) });
  expect([...model.stateDict().keys()].slice(0, 3)).toEqual(["conv.weight", "conv.bias", "norm.weight"]);
  expect(model.forward(ones([1, 1, 2, 2])).shape).toEqual([1, 2, 2, 2]);
  model.setSubmodule("norm", new nn.Identity());
  expect(model.at(1)).toBeInstanceOf(nn.Identity);
  model.append(new nn.ReLU()).insert(0, new nn.Flatten());
  expect(model.namedChildren().map(([name]) => name)).toEqual(["0", "conv", "norm", "3"]);
  expect(String(model)).toContain("(conv): Conv2d(1, 2");
});
