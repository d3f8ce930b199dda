import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { nn, ones } from "../../src/index.ts";
import { readGolden } from "../golden/read.ts";

interface Case {
  kind: string;
  name: string;
  code: string;
  text: string;
}

const modules = readGolden<Case>("print").filter(({ kind }) => kind === "module");

function made(code: string): nn.Module {
  return new Function("nn", `return ${code}`)(nn);
}

/** PyTorch 2 puts equal neighbours of a ModuleList on one line. */
function as2({ code, text }: Case): string {
  const pair = "new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 2)])";
  return code === pair ? "ModuleList(\n  (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)\n)" : text;
}

describe("modules are printed as PyTorch prints them", () => {
  test.each(modules)("$name", (golden) => {
    expect(made(golden.code).toString()).toBe(as2(golden));
  });

  test.each<[string, nn.Module]>([
    ["Softplus(beta=1.0, threshold=20.0)", new nn.Softplus()],
    ["Dropout2d(p=0.5, inplace=False)", new nn.Dropout2d()],
    ["Unflatten(dim=1, unflattened_size=(2, 3))", new nn.Unflatten(1, [2, 3])],
    ["AdaptiveMaxPool1d(output_size=3)", new nn.AdaptiveMaxPool1d(3)],
    ["AdaptiveAvgPool2d(output_size=(None, 2))", new nn.AdaptiveAvgPool2d([null, 2])],
    ["AvgPool1d(kernel_size=(3,), stride=(2,), padding=(1,))", new nn.AvgPool1d(3, { stride: 2, padding: 1 })],
    ["MSELoss()", new nn.MSELoss({ reduction: "sum" })],
    ["CrossEntropyLoss()", new nn.CrossEntropyLoss({ weight: ones([2]) })],
    ["SmoothL1Loss()", new nn.SmoothL1Loss()],
    ["HuberLoss()", new nn.HuberLoss()],
    ["L1Loss()", new nn.L1Loss()],
    [
      "ModuleList(\n  (0-2): 3 x ReLU()\n  (3): Tanh()\n  (4-5): 2 x ReLU()\n)",
      new nn.ModuleList(["r", "r", "r", "t", "r", "r"].map((kind) => (kind === "r" ? new nn.ReLU() : new nn.Tanh()))),
    ],
    [
      "ModuleList(\n  (0-1): 2 x Sequential(\n    (0): ReLU()\n  )\n)",
      new nn.ModuleList([new nn.Sequential(new nn.ReLU()), new nn.Sequential(new nn.ReLU())]),
    ],
  ])("%s", (text, module) => {
    expect(String(module)).toBe(text);
  });

  test("in console.log too", () => {
    expect(inspect(new nn.ReLU())).toBe("ReLU()");
  });

  test("extra lines stand before the children", () => {
    class Scaled extends nn.Module {
      inner = new nn.ReLU();
      forward() {}
      override extraRepr() {
        return "scale=2\nshift=1";
      }
    }
    expect(String(new Scaled())).toBe("Scaled(\n  scale=2\n  shift=1\n  (inner): ReLU()\n)");
  });
});
