/*
 * Every normalization is three steps over a set of positions: moments, normalize, scale and shift.
 *
 *   batch-norm.ts        a channel's moments over everything else, taken or given; tail.ts: what may follow in the same pass
 *   joint-batch-norm.ts  the same moments over several arrays, some positions, or other processes
 *   instance-norm.ts     batch norm of N·C channels, or of channels-last images one by one
 *   row-norm.ts          moments of rows: layer and RMS norm, contiguous group norm
 *   group-norm.ts        group norm, channels-last too: the channels' moments merged
 *   differentiable.ts    all their gradients as formulas, for gradients of gradients
 */
export { batchNormEval, batchNormTrain, type RunningStatistics } from "./batch-norm.ts";
export type { Collective } from "./collective.ts";
export { groupNorm } from "./group-norm.ts";
export { instanceNormTrain } from "./instance-norm.ts";
export { batchNormJoint, type JointPart } from "./joint-batch-norm.ts";
export { layerNorm, rmsNorm } from "./row-norm.ts";
export { ACTIVATIONS, type Activation, activate } from "./tail.ts";
