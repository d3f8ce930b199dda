import { inspect } from "node:util";
import { nn, tensor } from "evenkeel";
import { expect, it } from "vitest";
import { type Golden, readGolden } from "../golden/read.ts";

interface PrintCase {
  kind: string;
  name: string;
  tensor: Golden;
  text: string;
}

const cases = readGolden<PrintCase>("print").filter(({ kind }) => kind === "parameter");

it.each(cases.map((one) => [one.name, one] as const))("a parameter prints as PyTorch's: %s", (_, one) => {
  const { data, shape, dtype } = one.tensor;
  const parameter = new nn.Parameter(tensor(data, { shape, dtype }));
  expect(String(parameter)).toBe(one.text);
  expect(inspect(parameter)).toBe(one.text);
});
