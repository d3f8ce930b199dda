/*
 * What kernels are told beside addresses and sizes: the names of operations, and the geometries and scalars that come
 * in groups.
 */

/** Elementwise functions of one float input; `p` and `q` are their scalars where they have any. */
export type UnaryOp =
  | "neg"
  | "abs"
  | "sign"
  | "square"
  | "sqrt"
  | "rsqrt"
  | "reciprocal"
  | "exp"
  | "expm1"
  | "log"
  | "log1p"
  | "log2"
  | "log10"
  | "sin"
  | "cos"
  | "tan"
  | "tanh"
  | "erf"
  | "floor"
  | "ceil"
  | "round"
  | "trunc"
  | "sigmoid"
  | "relu"
  | "relu6"
  | "silu"
  | "gelu"
  | "geluTanh"
  /** x > 0 ? x : p·x */
  | "leakyRelu"
  /** log(1 + exp(p·x)) / p, and x where p·x > q */
  | "softplus"
  /** x + p */
  | "addScalar"
  /** x · p */
  | "mulScalar"
  /** x ** p */
  | "powScalar"
  /** p / x */
  | "rdivScalar"
  /** p − x */
  | "rsubScalar"
  /** min(max(x, p), q); NaN stays NaN */
  | "clamp";

/** The unary functions that integers have too. */
export type IntUnaryOp = "neg" | "abs" | "sign" | "square" | "addScalar" | "mulScalar" | "rsubScalar" | "clamp";

/**
 * Gradients of activations, gx = g · f'(·), from one saved tensor `s`: the output for sigmoid and tanh (`s` = y), the
 * input for the rest (`s` = x). relu gives 0 at 0. clamp passes where p <= s <= q.
 */
export type UnaryGradOp =
  | "relu"
  | "relu6"
  | "leakyRelu"
  | "sigmoid"
  | "tanh"
  | "silu"
  | "gelu"
  | "geluTanh"
  | "softplus"
  | "clamp";

/** Elementwise functions of two inputs of the same dtype. Integer division truncates; remainder has the divisor's sign. */
export type BinaryOp = "add" | "sub" | "mul" | "div" | "pow" | "maximum" | "minimum" | "remainder" | "atan2";

/** Elementwise comparisons; the output is bool (one byte, 0 or 1). */
export type CompareOp = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** Reductions of the middle axis. max and min propagate NaN. any and all read any dtype as "≠ 0" and write bool. */
export type ReduceOp = "sum" | "mean" | "prod" | "max" | "min" | "any" | "all";

/** A batch of matrix products; each operand is addressed by [batch, row, column] strides. */
export interface GemmShape {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** [batch, row (m), column (k)] strides of a */
  readonly aStrides: readonly [number, number, number];
  /** [batch, row (k), column (n)] strides of b */
  readonly bStrides: readonly [number, number, number];
  /** [batch, row (m)] strides of out; its columns (n) are contiguous */
  readonly outStrides: readonly [number, number];
  /** true: out += a·b; false: out = a·b */
  readonly accumulate: boolean;
}

/** The geometry of a 2-D convolution over [N, C, H, W]; a 1-D convolution has height 1. */
export interface Conv2dShape {
  readonly batch: number;
  readonly inChannels: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly paddingHeight: number;
  readonly paddingWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly groups: number;
}

/** The geometry of a 2-D pooling over `planes` = N·C images. */
export interface Pool2dShape {
  readonly planes: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly paddingHeight: number;
  readonly paddingWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  /** average pooling: whether padding counts in the divisor */
  readonly countIncludePad: boolean;
  /** average pooling: a fixed divisor, or 0 for none */
  readonly divisorOverride: number;
}

/**
 * How normalization by rows lays weight and bias over them. The input is [rows, channels, inner], contiguous, and every
 * row has its own mean and variance over channels × inner. Element (r, c, i) takes the weight number
 * (r mod groups)·channels + c.
 * - layer norm: groups 1, channels = numel of normalized_shape, inner 1
 * - group norm: groups G, channels C / G, inner = spatial size; rows = N·G
 * - instance norm: groups C, channels 1, inner = spatial size; rows = N·C
 */
export interface RowShape {
  readonly rows: number;
  readonly groups: number;
  readonly channels: number;
  readonly inner: number;
}

/** What follows a normalization while its values are in cache: y = activation(y + residual). */
export interface NormTail {
  /** address of what is added, of y's shape; 0 for nothing */
  readonly residual: number;
  readonly activation: UnaryOp | null;
  /** the activation's scalar */
  readonly p?: number;
}

/** The way back through an activation: the gradient before it, g · f'(source), is written `before`, which may be where gx goes. */
export interface NormTailGrad {
  readonly activation: UnaryGradOp;
  readonly p?: number;
  /** addresses of arrays of g's shape */
  readonly source: number;
  readonly before: number;
  /** whether `before` holds a part of the gradient, which g is added to first: only for ReLU, float32, inner > 1, batch statistics, and where gx is wanted */
  readonly adds?: boolean;
  /** where `source` is ReLU of the normalized values alone: the address of the bias, or 0. Then kernels may tell the slope from x, which they read anyway */
  readonly bias?: Pointer;
}

/** Scalars of one SGD step, as torch.optim.SGD. */
export interface SgdStep {
  readonly lr: number;
  readonly momentum: number;
  readonly dampening: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
  readonly maximize: boolean;
}

/** A tensor that SGD moves. */
export interface SgdTensor {
  /** elements */
  readonly n: number;
  readonly param: Pointer;
  readonly grad: Pointer;
  /** 0 where momentum is 0 */
  readonly buffer: Pointer;
  /** the momentum buffer is to be set to the gradient, not averaged with it */
  readonly first: boolean;
}

/** Scalars of one Adam step, as torch.optim.Adam, or AdamW when `decoupled`. */
export interface AdamStep {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
  readonly maximize: boolean;
  /** number of this step, from 1 */
  readonly step: number;
}

/** Scalars of one RMSprop step, as torch.optim.RMSprop. */
export interface RmspropStep {
  readonly lr: number;
  readonly alpha: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly momentum: number;
  readonly maximize: boolean;
}

/** A byte address in the shared heap. */
export type Pointer = number;
