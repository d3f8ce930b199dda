import { describe, expect, it } from "vitest";
import { Generator } from "../../src/tensor/generator.ts";
import { ArgumentError } from "../../src/util/errors.ts";
import { type Golden, readGolden, sha256 } from "../golden/read.ts";

interface Call {
  method: "fillUniform" | "fillNormal" | "fillRandint" | "fillBernoulli" | "randperm" | "randomInt64";
  args: (number | string)[];
  dtype?: Golden["dtype"];
  length?: number;
  result: Golden | number[] | string;
}
type Draws = { kind: "draws"; name: string; seed: string; calls: Call[] };
type Loader = {
  kind: "loader";
  name: string;
  seed: number;
  length: number;
  batchSize: number;
  shuffle: boolean;
  dropLast: boolean;
  epochs: number[][][];
  after: Golden;
};
type State = { kind: "state"; name: string; seed: number; drawn: number; state: Golden };
const cases = readGolden<Draws | Loader | State | { kind: "dropout" }>("random");
const of = <K extends string>(kind: K) => cases.filter((c): c is Extract<typeof c, { kind: K }> => c.kind === kind);

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
};

describe("Generator draws PyTorch's numbers", () => {
  it.each(of("draws"))("$name", ({ seed, calls }) => {
    const generator = new Generator(BigInt(seed));
    for (const { method, args, dtype, length, result } of calls) {
      if (method === "randperm") expect(generator.randperm(args[0] as number)).toEqual(result);
      else if (method === "randomInt64") expect(String(generator.randomInt64())).toBe(result);
      else {
        const out = new ARRAYS[dtype as keyof typeof ARRAYS](length!);
        const given = method === "fillRandint" ? args.map(BigInt) : args;
        (generator[method] as (...a: unknown[]) => void)(out, ...given);
        if (method === "fillNormal" && out instanceof Float64Array) {
          // libm's logarithm, sine and cosine are not the engine's: a unit in the last place of each, and cancellation against the mean.
          out.forEach((v, i) => {
            expect(Math.abs(v - (result as Golden & { data: Float64Array }).data[i])).toBeLessThanOrEqual(2e-15);
          });
        } else expect(out).toEqual((result as Golden).data);
      }
    }
  });

  it.each(of("state"))("state: $name", ({ seed, drawn, state }) => {
    const generator = new Generator(seed);
    generator.fillNormal(new Float32Array(drawn));
    expect(Buffer.from(generator.getState()).equals(Buffer.from(state.data as Uint8Array))).toBe(true);

    const restored = new Generator(99).setState(state.data as Uint8Array);
    expect(restored.initialSeed()).toBe(BigInt(seed));
    const [a, b] = [new Float32Array(700), new Float32Array(700)];
    generator.fillNormal(a.subarray(0, 3));
    restored.fillNormal(b.subarray(0, 3));
    generator.fillUniform(a.subarray(3));
    restored.fillUniform(b.subarray(3));
    expect(b).toEqual(a);
  });

  it.each(of("loader"))("loader's seeds: $name", ({ seed, length, batchSize, shuffle, dropLast, epochs, after }) => {
    const generator = new Generator(seed);
    for (const epoch of epochs) {
      generator.randomInt64();
      // An epoch without a batch asks its sampler all the same.
      const order = shuffle ? new Generator(generator.randomInt64()).randperm(length) : [...Array(length).keys()];
      const batches = [];
      for (let i = 0; i + (dropLast ? batchSize : 1) <= length; i += batchSize)
        batches.push(order.slice(i, i + batchSize));
      expect(batches).toEqual(epoch);
    }
    const rest = new Float32Array(3);
    generator.fillUniform(rest);
    expect(rest).toEqual(after.data);
  });
});

it("draws a hundred thousand normal floats to the bit", () => {
  const out = new Float32Array(100_000);
  new Generator(100_007).fillNormal(out);
  expect(sha256(out)).toBe("0c3633444fc8a6485e1c7db8730a82adbfd8fb96865499589a850f1f744b076e");
});

it("draws the same words at once as one by one, wherever the state is renewed", () => {
  const [together, single] = [new Generator(3), new Generator(3)];
  for (const count of [1, 5, 617, 1, 624, 623, 3000, 0, 2]) {
    const out = new Float32Array(count);
    together.fillUniform(out);
    expect([...out]).toEqual(Array.from({ length: count }, () => single.uniform32()));
    expect(together.random32()).toBe(single.random32());
  }
  expect(together.getState()).toEqual(single.getState());
});

it("keeps the seed and starts anew from it", () => {
  const generator = new Generator();
  expect(generator.initialSeed()).toBe(67280421310721n);
  expect(generator.manualSeed(-1).initialSeed()).toBe(2n ** 64n - 1n);
  const first = [generator.random32(), generator.normal64()];
  expect([generator.manualSeed(-1).random32(), generator.normal64()]).toEqual(first);
  const seed = generator.seed();
  expect(generator.initialSeed()).toBe(seed);
});

describe("Generator refuses", () => {
  const generator = new Generator(0);
  const floats = new Float32Array(3);
  it.each([
    ["a fractional seed", () => generator.manualSeed(1.5), "expected an integer seed (got 1.5)"],
    ["a seed of 65 bits", () => generator.manualSeed(2n ** 64n), "Overflow when unpacking long"],
    [
      "bounds in the wrong order",
      () => generator.fillUniform(floats, 1, 0),
      "uniform_ expects to return a [from, to) range, but found from=1 > to=0",
    ],
    ["infinite bounds", () => generator.fillUniform(floats, 0, Infinity), "to is out of bounds for float"],
    ["a negative deviation", () => generator.fillNormal(floats, 0, -1), "normal expects std >= 0.0, but found std -1"],
    [
      "a probability above one",
      () => generator.fillBernoulli(floats, 1.5),
      "bernoulli_ expects p to be in [0, 1], but got p=1.5",
    ],
    [
      "an empty range",
      () => generator.fillRandint(floats, 5, 5),
      "random_ expects 'from' to be less than 'to', but got from=5 >= to=5",
    ],
    [
      "integers above the dtype",
      () => generator.fillRandint(new Uint8Array(3), 0, 257),
      "to - 1 is out of bounds for unsigned char",
    ],
    [
      "integers below the dtype",
      () => generator.fillRandint(new Uint8Array(3), -1, 3),
      "from is out of bounds for unsigned char",
    ],
    ["a negative length", () => generator.randperm(-1), "randperm expects n to be a whole number >= 0 (got -1)"],
    ["a state of another size", () => generator.setState(new Uint8Array(3)), "found the input RNG state size to be 3"],
    ["a state without a position", () => generator.setState(new Uint8Array(5056)), "Invalid mt19937 state"],
  ])("%s", (_, act, message) => {
    expect(act).toThrow(ArgumentError);
    expect(act).toThrow(message);
  });
});
