export type { Collective } from "../../functional/collective.ts";
export { withoutStatisticsUpdate } from "../../functional/statistics-update.ts";
export type { NormOptions } from "./base.ts";
export { BatchNorm1d, BatchNorm2d, BatchNorm3d } from "./batch-norm.ts";
export { BatchNormAct2d, type BatchNormActOptions } from "./batch-norm-act.ts";
export { FrozenBatchNorm2d } from "./frozen-batch-norm.ts";
export { GroupNorm } from "./group-norm.ts";
export { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d } from "./instance-norm.ts";
export { LayerNorm } from "./layer-norm.ts";
export {
  LazyBatchNorm1d,
  LazyBatchNorm2d,
  LazyBatchNorm3d,
  LazyInstanceNorm1d,
  LazyInstanceNorm2d,
  LazyInstanceNorm3d,
} from "./lazy.ts";
export { LocalResponseNorm } from "./local-response-norm.ts";
export { RMSNorm } from "./rms-norm.ts";
export { convertSyncBatchNorm, SyncBatchNorm, type SyncBatchNormOptions } from "./sync-batch-norm.ts";
