import type { Activation } from "../../../ops/norm/index.ts";
import type { Emitter, Translation, Translations } from "../emitter.ts";
import { ELEMENT_TYPES } from "../proto.ts";

/** A node of one input without attributes. */
const unary =
  (opType: string): Translation =>
  (emit) =>
    emit.node(opType, [emit.input(0)]);

/** The second operand: a tensor, or the number that stands for it. */
const operand = (emit: Emitter) => (emit.has(1) ? emit.input(1) : emit.number(emit.get("other")));

const binary =
  (opType: string): Translation =>
  (emit) =>
    emit.node(opType, [emit.input(0), operand(emit)]);

const scaled = (emit: Emitter, x: string, factor: number) => emit.node("Mul", [x, emit.number(factor)]);

function geluTanh(emit: Emitter, x: string): string {
  const cubic = emit.node("Mul", [x, emit.node("Mul", [x, x])]);
  const inner = emit.node("Add", [x, scaled(emit, cubic, 0.044715)]);
  const share = emit.node("Add", [emit.node("Tanh", [scaled(emit, inner, Math.sqrt(2 / Math.PI))]), emit.number(1)]);
  return emit.node("Mul", [scaled(emit, x, 0.5), share]);
}

function gelu(emit: Emitter, x: string, approximate: string): string {
  if (emit.opset >= 20) return emit.node("Gelu", [x], { approximate });
  if (approximate === "tanh") return geluTanh(emit, x);
  const share = emit.node("Add", [emit.node("Erf", [scaled(emit, x, Math.SQRT1_2)]), emit.number(1)]);
  return emit.node("Mul", [scaled(emit, x, 0.5), share]);
}

const relu6 = (emit: Emitter, x: string) => emit.node("Clip", [x, emit.number(0), emit.number(6)]);
const silu = (emit: Emitter, x: string) => emit.node("Mul", [x, emit.node("Sigmoid", [x])]);

const ACTIVATIONS: Readonly<Record<Activation, (emit: Emitter, x: string) => string>> = {
  relu: (emit, x) => emit.node("Relu", [x]),
  relu6,
  leakyRelu: (emit, x) => emit.node("LeakyRelu", [x], { alpha: { f: 0.01 } }),
  sigmoid: (emit, x) => emit.node("Sigmoid", [x]),
  tanh: (emit, x) => emit.node("Tanh", [x]),
  silu,
  gelu: (emit, x) => gelu(emit, x, "none"),
};

/** The activation that a normalization carries. */
export function activation(emit: Emitter, x: string, name: Activation | null): string {
  return name ? ACTIVATIONS[name](emit, x) : x;
}

function pow(emit: Emitter): string {
  const [x, exponent] = [emit.input(0), emit.get("exponent")];
  if (exponent === 2) return emit.node("Mul", [x, x]);
  return exponent === 0.5 ? emit.node("Sqrt", [x]) : emit.node("Pow", [x, emit.number(exponent)]);
}

function clamp(emit: Emitter): string {
  const limit = (key: string) => {
    const value = emit.get<number | null>(key);
    return value === null ? "" : emit.number(value);
  };
  return emit.node("Clip", [emit.input(0), limit("min"), limit("max")]);
}

function softplus(emit: Emitter): string {
  const beta = emit.get("beta");
  if (beta === 1) return emit.node("Softplus", [emit.input(0)]);
  return scaled(emit, emit.node("Softplus", [scaled(emit, emit.input(0), beta)]), 1 / beta);
}

/** x − y · ⌊x / y⌋ */
function remainder(emit: Emitter): string {
  const [x, y] = [emit.input(0), emit.input(1)];
  return emit.node("Sub", [x, emit.node("Mul", [y, emit.node("Floor", [emit.node("Div", [x, y])])])]);
}

export const ELEMENTWISE: Translations = {
  Add: binary("Add"),
  Sub: binary("Sub"),
  Mul: binary("Mul"),
  Div: (emit) =>
    "numerator" in emit.step.attributes
      ? emit.node("Div", [emit.number(emit.get("numerator")), emit.input(0)])
      : binary("Div")(emit),
  Rsub: (emit) => emit.node("Sub", [emit.number(emit.get("other")), emit.input(0)]),
  Pow: (emit) => (emit.has(1) ? emit.node("Pow", [emit.input(0), emit.input(1)]) : pow(emit)),
  Remainder: remainder,
  Maximum: binary("Max"),
  Minimum: binary("Min"),
  Neg: unary("Neg"),
  Abs: unary("Abs"),
  Sign: unary("Sign"),
  Exp: unary("Exp"),
  Expm1: (emit) => emit.node("Sub", [emit.node("Exp", [emit.input(0)]), emit.number(1)]),
  Log: unary("Log"),
  Log1P: (emit) => emit.node("Log", [emit.node("Add", [emit.input(0), emit.number(1)])]),
  Log2: (emit) => scaled(emit, emit.node("Log", [emit.input(0)]), Math.LOG2E),
  Log10: (emit) => scaled(emit, emit.node("Log", [emit.input(0)]), Math.LOG10E),
  Sqrt: unary("Sqrt"),
  Rsqrt: (emit) => emit.node("Reciprocal", [emit.node("Sqrt", [emit.input(0)])]),
  Reciprocal: unary("Reciprocal"),
  Sin: unary("Sin"),
  Cos: unary("Cos"),
  Tan: unary("Tan"),
  Erf: unary("Erf"),
  Floor: unary("Floor"),
  Ceil: unary("Ceil"),
  Round: unary("Round"),
  Trunc: (emit) => {
    const x = emit.input(0);
    return emit.node("Mul", [emit.node("Sign", [x]), emit.node("Floor", [emit.node("Abs", [x])])]);
  },
  Clamp: clamp,
  Relu: unary("Relu"),
  Hardtanh: (emit) => relu6(emit, emit.input(0)),
  LeakyRelu: (emit) => emit.node("LeakyRelu", [emit.input(0)], { alpha: { f: emit.get("negativeSlope") } }),
  Sigmoid: unary("Sigmoid"),
  Tanh: unary("Tanh"),
  Silu: (emit) => silu(emit, emit.input(0)),
  Gelu: (emit) => gelu(emit, emit.input(0), emit.get<string>("approximate")),
  Softplus: softplus,
  Softmax: (emit) => emit.node("Softmax", [emit.input(0)], { axis: emit.get("dim") }),
  LogSoftmax: (emit) => emit.node("LogSoftmax", [emit.input(0)], { axis: emit.get("dim") }),
  ToCopy: (emit) => emit.node("Cast", [emit.input(0)], { to: ELEMENT_TYPES[emit.dtype] }),
};
