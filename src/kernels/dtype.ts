/** The element types that tensors can have. */
export type DType = "float32" | "float64" | "int32" | "int64" | "uint8" | "bool";

/** The element types that gradients can flow through. */
export type FloatDType = "float32" | "float64";

/** Bytes per element. */
export const ITEM_BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  int32: 4,
  int64: 8,
  uint8: 1,
  bool: 1,
};

/** log2 of the bytes per element: turns a byte address into an index of the matching typed array. */
export const ITEM_SHIFT: Readonly<Record<DType, number>> = {
  float32: 2,
  float64: 3,
  int32: 2,
  int64: 3,
  uint8: 0,
  bool: 0,
};
