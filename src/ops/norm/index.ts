export { batchNormEval, batchNormTrain, type RunningStatistics } from "./batch-norm.ts";
export type { Collective } from "./collective.ts";
export { instanceNormTrain } from "./instance-norm.ts";
export { batchNormJoint, type JointPart } from "./joint-batch-norm.ts";
export { groupNorm, layerNorm, rmsNorm } from "./row-norm.ts";
export { ACTIVATIONS, type Activation, activate } from "./tail.ts";
