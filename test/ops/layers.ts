import { expect, it } from "vitest";
import { autograd, type Tensor } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden, fromGolden } from "./checking.ts";

/** One entry of layers.json. */
export interface LayerCase {
  name: string;
  module: string;
  args: unknown[];
  // biome-ignore lint/suspicious/noExplicitAny: PyTorch's keyword arguments, different for each layer
  options: Record<string, any>;
  state: Record<string, Golden>;
  input: Golden;
  gradOutput: Golden;
  output: Golden;
  gradInput: Golden;
  gradState: Record<string, Golden>;
}

type Run = (x: Tensor, state: Record<string, Tensor>, entry: LayerCase) => Tensor;

/** Registers a test for every case of layers.json of the named modules: output, gradients of input and parameters. */
export function testLayers(runs: Record<string, Run>): void {
  const cases = readGolden<LayerCase>("layers");
  for (const [module, run] of Object.entries(runs)) {
    const own = cases.filter((entry) => entry.module === module);
    it(`${module}: PyTorch's numbers (${own.length} cases)`, () => {
      expect(own.length).toBeGreaterThan(0);
      for (const entry of own) {
        try {
          checkCase(entry, run);
        } catch (error) {
          (error as Error).message = `${entry.name}: ${(error as Error).message}`;
          throw error;
        }
      }
    });
  }
}

function checkCase(entry: LayerCase, run: Run): void {
  const x = fromGolden(entry.input).requiresGrad_();
  const state = Object.fromEntries(
    Object.entries(entry.state).map(([key, golden]) => [key, fromGolden(golden).requiresGrad_()]),
  );
  const y = run(x, state, entry);
  // sums of up to a few hundred float32 products
  const tolerance = entry.input.dtype === "float32" ? { atol: 5e-6 } : {};
  expectGolden(y, entry.output, tolerance);
  autograd.backward([y], [fromGolden(entry.gradOutput)]);
  expectGolden(x.grad!, entry.gradInput, tolerance);
  for (const [key, golden] of Object.entries(entry.gradState)) expectGolden(state[key].grad!, golden, tolerance);
}
