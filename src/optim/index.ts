import "../ops/methods.ts";
import "../runtime.ts";

export { Adam, type AdamOptions, AdamW } from "./adam.ts";
export { OneCycleLR, type OneCycleOptions } from "./one-cycle.ts";
export {
  type Move,
  Optimizer,
  type OptimizerState,
  type ParamGroup,
  type ParamGroupInput,
  type ParamState,
} from "./optimizer.ts";
export { RMSprop, type RMSpropOptions } from "./rmsprop.ts";
export { CosineAnnealingLR, LRScheduler, StepLR } from "./scheduler.ts";
export { SGD, type SGDOptions } from "./sgd.ts";
