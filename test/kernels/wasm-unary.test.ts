import { describe, expect, it } from "vitest";
import type { UnaryGradOp, UnaryOp } from "../../src/kernels/backend.ts";
import { expectUlps, isReference, noise, put, reference, runBoth, tested } from "./both.ts";

const exact: UnaryOp[] = [
  "neg",
  "abs",
  "sign",
  "square",
  "sqrt",
  "reciprocal",
  "floor",
  "ceil",
  "round",
  "trunc",
  "relu",
  "relu6",
];
const scalars: UnaryOp[] = ["leakyRelu", "addScalar", "mulScalar", "rdivScalar", "rsubScalar", "clamp"];

/** Allowed distance from the value computed in float64 and rounded once. */
const functions: [UnaryOp, number][] = [
  ["rsqrt", 1],
  ["exp", 1],
  ["expm1", 1],
  ["log", 1],
  ["log1p", 1],
  ["log2", 1],
  ["log10", 1],
  ["sin", 1],
  ["cos", 1],
  ["tanh", 1],
  ["erf", 1],
  ["sigmoid", 2],
  ["silu", 1],
  ["gelu", 1],
  ["geluTanh", 1],
];
const gradients: UnaryGradOp[] = [
  "relu",
  "relu6",
  "leakyRelu",
  "sigmoid",
  "tanh",
  "silu",
  "gelu",
  "geluTanh",
  "softplus",
  "clamp",
];

const specials = [0, -0, 1, -1, 0.5, 1e-45, -1e-45, 1e-39, -3e-39, 1.5e-38, 3.4e38, -3.4e38, Infinity, -Infinity, NaN];
const halves = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 5.9999995, 6, 6.0000005, 2 ** 23 + 1, 2 ** 31, -(2 ** 33)];

/** Every 2,503rd float32 of both signs, so all exponents, and densely the range where functions bend. */
function sweep(): number[] {
  const f32 = new Float32Array(1);
  const bits = new Uint32Array(f32.buffer);
  const values: number[] = [...specials, ...halves];
  for (let b = 0; b < 2 ** 32; b += 250307) {
    bits[0] = b;
    values.push(f32[0]);
  }
  for (const scale of [0.5, 4, 20, 100]) values.push(...noise(5000, scale, scale * 7));
  return Array.from(new Float32Array(values));
}

const all = sweep();
const x = put("float32", all);

describe.skipIf(isReference)(`functions of one float32, ${tested.simd}`, () => {
  it.each(functions)("%s is within %d ulp everywhere", (op, most) => {
    const [actual, expected] = runBoth("float32", all.length, (k, out) => k.unary(op, "float32", out, x, all.length));
    expectUlps(actual, expected, most, op, all);
  });

  it.each(exact)("%s is exact", (op) => {
    const [actual, expected] = runBoth("float32", all.length, (k, out) => k.unary(op, "float32", out, x, all.length));
    expectUlps(actual, expected, 0, op);
  });

  it.each(scalars)("%s is exact", (op) => {
    const [actual, expected] = runBoth("float32", all.length, (k, out) =>
      k.unary(op, "float32", out, x, all.length, 0.3, 2.7),
    );
    expectUlps(actual, expected, 0, op);
  });

  it.each([-1, -0.5, 0, 0.5, 1, 1.7, 2, 3])("powScalar %d", (p) => {
    const [actual, expected] = runBoth("float32", all.length, (k, out) =>
      k.unary("powScalar", "float32", out, x, all.length, p, 0),
    );
    // The square root of −infinity is NaN and x·x·x rounds twice, as in PyTorch.
    const kept = all.map((v, i) => (p === 0.5 && v === -Infinity ? expected[i] : actual[i]));
    expectUlps(kept, expected, 1, `** ${p}`);
  });

  it.each([
    [1, 20],
    [2.5, 3],
  ])("softplus with beta %d and threshold %d", (beta, threshold) => {
    const [actual, expected] = runBoth("float32", all.length, (k, out) =>
      k.unary("softplus", "float32", out, x, all.length, beta, threshold),
    );
    expectUlps(actual, expected, 1, "softplus");
  });

  it.each(gradients)("the gradient of %s", (op) => {
    const values = noise(3001, 9);
    const saved = op === "sigmoid" || op === "tanh" ? noise(3001, 1, 5) : values;
    const g = put("float32", noise(3001, 1, 3));
    const s = put("float32", saved);
    const [actual, expected] = runBoth("float32", 3001, (k, out) =>
      k.unaryGrad(op, "float32", out, g, s, 3001, op === "clamp" ? -2 : 1.5, op === "clamp" ? 3.25 : 7),
    );
    expectUlps(actual, expected, 2, op);
  });
});

describe.skipIf(isReference)(`every length and dtype, ${tested.simd}`, () => {
  const ops: UnaryOp[] = [...exact, ...scalars, "exp", "log", "gelu", "softplus", "tan"];

  it.each(["float32", "float64"] as const)("%s", (dtype) => {
    const values = noise(20, 3).map((v) => Math.fround(v));
    const at = put(dtype, values);
    for (let n = 0; n <= 17; n++) {
      for (const op of ops) {
        const [actual, expected] = runBoth(dtype, n, (k, out) => k.unary(op, dtype, out, at, n, 0.75, 1.25));
        if (dtype === "float32") expectUlps(actual, expected, 1, `${op} of ${n}`);
        else expect(actual, `${op} of ${n}`).toEqual(expected);
        if (dtype === "float32") {
          const [inPlace] = runBoth(
            dtype,
            n,
            (k, out) => k.unary(op, dtype, out, out, n, 0.75, 1.25),
            values.slice(0, n),
          );
          expect(inPlace, `${op} of ${n} in place`).toEqual(actual);
        }
      }
      for (const op of gradients) {
        const g = put(dtype, noise(20, 1, 9));
        const [actual, expected] = runBoth(dtype, n, (k, out) => k.unaryGrad(op, dtype, out, g, at, n, 0.75, 1.25));
        for (const [i, v] of actual.entries()) expect(v, `${op} of ${n}`).toBeCloseTo(expected[i], 6);
      }
      const add = put(dtype, noise(20, 1, 11));
      const [actual, expected] = runBoth(dtype, n, (k, out) => k.axpy(dtype, out, add, n, 0.3), values.slice(0, n));
      for (const [i, v] of actual.entries()) expect(v).toBeCloseTo(expected[i], 6);
    }
  });

  it("leaves integers to the reference", () => {
    const at = put("int32", [3, -4, 5]);
    const [actual, expected] = runBoth("int32", 3, (k, out) => k.unary("abs", "int32", out, at, 3));
    expect(actual).toEqual(expected);
    expect(reference.name).toBe("reference");
  });
});
