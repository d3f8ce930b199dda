import "../ops/methods.ts";
import "../runtime.ts";

export { type Adaptation, adaBn, Tent, type TentOptions } from "./adapt.ts";
export type { Batch, Batches } from "./batches.ts";
export {
  type Conversion,
  type ConversionNote,
  type ConversionTarget,
  convert,
  type LayerChange,
} from "./convert.ts";
export { type FreezeOptions, freeze, unfreeze } from "./freeze.ts";
export { type FuseReport, fuse, fuseConvBnEval, fuseLinearBnEval, type NotFused } from "./fuse.ts";
export type { Distribution } from "./inspect/distribution.ts";
export type { Finding } from "./inspect/findings.ts";
export { type Inspection, inspect, type LayerInspection } from "./inspect/inspect.ts";
export { FINDING_TEXTS, type FindingCode, type FindingText } from "./inspect/wording.ts";
export { fromKeras, type KerasChange, type KerasLayer } from "./keras.ts";
export { type Recalibration, recalibrate, updateBn } from "./recalibrate.ts";
