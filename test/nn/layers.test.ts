import { describe, expect, test } from "vitest";
import { manualSeed, nn, type Tensor } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden, fromGolden } from "./compare.ts";

interface Case {
  name: string;
  module: "Linear" | "Conv1d" | "Conv2d" | "MaxPool2d";
  args: unknown[];
  options: object;
  seed: number;
  state: Record<string, Golden>;
  input: Golden;
  gradOutput: Golden;
  output: Golden;
  gradInput: Golden;
  gradState: Record<string, Golden>;
}

type Layer = nn.Module & { forward(input: Tensor): Tensor };

describe("layers give PyTorch's initial values to the bit, and its outputs and gradients", () => {
  test.each(readGolden<Case>("layers"))("$name", (golden) => {
    manualSeed(golden.seed);
    // biome-ignore lint/suspicious/noExplicitAny: the golden file names the class and its arguments
    const layer: Layer = new (nn[golden.module] as any)(...golden.args, golden.options);
    const state = layer.stateDict();
    expect([...state.keys()]).toEqual(Object.keys(golden.state));
    for (const [key, value] of state) expectGolden(value, golden.state[key], key, 0);

    const double = golden.input.dtype === "float64";
    const input = fromGolden(golden.input).requiresGrad_();
    const output = layer.forward(input);
    expectGolden(output, golden.output, "output", double ? 1e-12 : 2e-6);
    output.backward(fromGolden(golden.gradOutput));
    const limit = double ? 1e-12 : 1e-5;
    expectGolden(input.grad, golden.gradInput, "gradient of the input", limit);
    for (const [key, parameter] of layer.namedParameters()) {
      expectGolden(parameter.grad, golden.gradState[key], `gradient of ${key}`, limit);
    }
  });
});
