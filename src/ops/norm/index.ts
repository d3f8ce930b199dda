export { batchNormEval, batchNormTrain, type RunningStatistics } from "./batch-norm.ts";
export { instanceNormTrain } from "./instance-norm.ts";
export { groupNorm, layerNorm } from "./row-norm.ts";
