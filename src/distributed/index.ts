import "../ops/methods.ts";
import "../runtime.ts";

export type { Communicator, PendingReduction, ReduceOp, ReduceOptions } from "./communicator.ts";
export { DistributedDataParallel, type DistributedDataParallelOptions } from "./data-parallel.ts";
export { globalMean } from "./global-mean.ts";
export { communicator, type InitOptions, init } from "./init.ts";
export { DistributedSampler, type DistributedSamplerOptions } from "./sampler.ts";
export { ShardedDataset } from "./sharded-dataset.ts";
export { loadTrainingState, saveTrainingState } from "./training-state.ts";
