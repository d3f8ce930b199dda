export type { NormOptions } from "./base.ts";
export { BatchNorm1d, BatchNorm2d, BatchNorm3d } from "./batch-norm.ts";
export { GroupNorm } from "./group-norm.ts";
export { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d } from "./instance-norm.ts";
export { LayerNorm } from "./layer-norm.ts";
