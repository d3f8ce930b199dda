/** The element types that kernels compute in. */
export type DType = "float32" | "float64" | "int32" | "int64" | "uint8" | "bool";

/** The element types that gradients can flow through. */
export type FloatDType = "float32" | "float64";

/** Floats of 16 bits: IEEE 754's half precision, and the upper half of a float32. They are stored and converted; kernels compute in float32. */
export type ReducedDType = "float16" | "bfloat16";

/** Bytes per element. */
export const ITEM_BYTES: Readonly<Record<DType | ReducedDType, number>> = {
  float32: 4,
  float64: 8,
  int32: 4,
  int64: 8,
  uint8: 1,
  bool: 1,
  float16: 2,
  bfloat16: 2,
};

/** log2 of the bytes per element: turns a byte address into an index of the matching typed array. */
export const ITEM_SHIFT: Readonly<Record<DType | ReducedDType, number>> = {
  float32: 2,
  float64: 3,
  int32: 2,
  int64: 3,
  uint8: 0,
  bool: 0,
  float16: 1,
  bfloat16: 1,
};
