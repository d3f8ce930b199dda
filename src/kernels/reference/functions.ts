import type { UnaryGradOp, UnaryOp } from "../backend.ts";
import { erf, normalCdf, normalPdf, pow, roundHalfEven, sigmoid } from "./math.ts";

/** A float function of x and the two scalars of its kernel. */
export type UnaryFunction = (x: number, p: number, q: number) => number;
/** A gradient g·f'(s). */
export type GradFunction = (g: number, s: number, p: number, q: number) => number;

/**
 * 2√(2/π) and the cubic coefficient of GELU's tanh form: ½(1 + tanh u) = sigmoid(2u), which does not cancel in the
 * tail.
 */
const TWO_SQRT_2_OVER_PI = 2 * Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;

function geluGate(x: number): number {
  return sigmoid(TWO_SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x));
}

function powScalar(x: number, p: number): number {
  // PyTorch takes roots for these two, so −∞ gives NaN and −0 keeps its sign.
  if (p === 0.5) return Math.sqrt(x);
  if (p === -0.5) return 1 / Math.sqrt(x);
  return pow(x, p);
}

export const unaryFunctions: Readonly<Record<UnaryOp, UnaryFunction>> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0),
  square: (x) => x * x,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  log2: Math.log2,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  tanh: Math.tanh,
  erf,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  trunc: Math.trunc,
  sigmoid,
  relu: (x) => (x <= 0 ? 0 : x),
  relu6: (x) => (x <= 0 ? 0 : x >= 6 ? 6 : x),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => x * normalCdf(x),
  geluTanh: (x) => x * geluGate(x),
  leakyRelu: (x, p) => (x > 0 ? x : p * x),
  softplus: (x, p, q) => (p * x > q ? x : Math.log1p(Math.exp(p * x)) / p),
  addScalar: (x, p) => x + p,
  mulScalar: (x, p) => x * p,
  powScalar,
  rdivScalar: (x, p) => p / x,
  rsubScalar: (x, p) => p - x,
  clamp: (x, p, q) => Math.min(Math.max(x, p), q),
};

export const gradFunctions: Readonly<Record<UnaryGradOp, GradFunction>> = {
  relu: (g, x) => (x <= 0 ? 0 : g),
  relu6: (g, x) => (x <= 0 || x >= 6 ? 0 : g),
  leakyRelu: (g, x, p) => (x > 0 ? g : g * p),
  sigmoid: (g, y) => g * y * (1 - y),
  tanh: (g, y) => g * (1 - y * y),
  silu: (g, x) => g * sigmoid(x) * (1 + x * sigmoid(-x)),
  gelu: (g, x) => g * (normalCdf(x) + x * normalPdf(x)),
  geluTanh: (g, x) => {
    const gate = geluGate(x);
    const slope = TWO_SQRT_2_OVER_PI * (1 + 3 * GELU_CUBIC * x * x);
    return g * gate * (1 + x * slope * (1 - gate));
  },
  softplus: (g, x, p, q) => (p * x > q ? g : g * sigmoid(p * x)),
  clamp: (g, x, p, q) => (x >= p && x <= q ? g : 0),
};
