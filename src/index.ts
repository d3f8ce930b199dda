import "./ops/methods.ts";
import "./runtime.ts";

export * as autograd from "./autograd/index.ts";
export { enableGrad, isGradEnabled, noGrad } from "./autograd/mode.ts";
export * as data from "./data/index.ts";
export * as F from "./functional/index.ts";
export * as io from "./io/index.ts";
export * as models from "./models/index.ts";
export * as nn from "./nn/index.ts";
export { gelu, leakyRelu, relu, relu6, sigmoid, silu, softplus, tanh } from "./ops/activation.ts";
export { add, div, mul, neg, sub } from "./ops/arithmetic.ts";
export { atan2, maximum, minimum, pow, remainder } from "./ops/binary.ts";
export {
  allclose,
  eq,
  equal,
  ge,
  gt,
  isfinite,
  isinf,
  isnan,
  le,
  logicalAnd,
  logicalNot,
  logicalOr,
  lt,
  ne,
  where,
} from "./ops/compare.ts";
export { amax, amin, argmax, argmin, type Extremes, max, min } from "./ops/extremes.ts";
export { gather, indexAdd, indexSelect, maskedFill, oneHot, scatterAdd, takeAlongDim } from "./ops/indexing.ts";
export {
  add_,
  bernoulli_,
  clamp_,
  copy_,
  type Drawing,
  div_,
  fill_,
  mul_,
  normal_,
  sub_,
  uniform_,
  zero_,
} from "./ops/inplace.ts";
export { cat, stack } from "./ops/join.ts";
export { bmm, dot, matmul, mm, outer } from "./ops/matmul.ts";
export type { TensorMethods } from "./ops/methods.ts";
export { std, type VarianceOptions, variance, varMean } from "./ops/moments.ts";
export { logsumexp, norm } from "./ops/norms.ts";
export {
  abs,
  ceil,
  clamp,
  cos,
  erf,
  exp,
  expm1,
  floor,
  log,
  log1p,
  log2,
  log10,
  reciprocal,
  round,
  rsqrt,
  sign,
  sin,
  sqrt,
  square,
  tan,
  trunc,
} from "./ops/pointwise.ts";
export { all, any, type Dims, mean, prod, type ReduceOptions, sum } from "./ops/reduction.ts";
export { at, chunk, diagonal, flip, narrow, select, slice, split, unbind } from "./ops/slicing.ts";
export { logSoftmax, softmax } from "./ops/softmax.ts";
export {
  broadcastTo,
  clone,
  contiguous,
  expand,
  expandAs,
  flatten,
  movedim,
  permute,
  reshape,
  squeeze,
  t,
  transpose,
  unflatten,
  unsqueeze,
  view,
} from "./ops/views.ts";
export * as optim from "./optim/index.ts";
export {
  type BackendName,
  getNumThreads,
  getWinograd,
  type RuntimeInfo,
  runtimeInfo,
  setBackend,
  setNumThreads,
  setWinograd,
} from "./runtime.ts";
export {
  arange,
  empty,
  emptyLike,
  eye,
  type FromDataOptions,
  full,
  fullLike,
  linspace,
  type NestedData,
  ones,
  onesLike,
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from "./tensor/creation.ts";
export { type DType, type FloatDType, getDefaultDtype, setDefaultDtype, type TypedArray } from "./tensor/dtype.ts";
export { defaultGenerator, Generator } from "./tensor/generator.ts";
export { type MemoryUsage, memoryUsage, setMemoryLimit } from "./tensor/memory.ts";
export type { MemoryFormat, MemoryFormatOptions } from "./tensor/memory-format.ts";
export {
  manualSeed,
  type RandomOptions,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  randperm,
} from "./tensor/random.ts";
export type { Shape } from "./tensor/shape.ts";
export { type GradHook, Tensor } from "./tensor/tensor.ts";
export { tidy } from "./tensor/tidy.ts";
export * as tools from "./tools/index.ts";
export * from "./util/errors.ts";
