/*
 * Every normalization is three steps over a set of positions: moments, normalize, scale and shift.
 *
 *   batch-norm.ts        a channel's moments over everything else, taken or given; tail.ts: what may follow in the same pass
 *   joint-batch-norm.ts  the same moments over several arrays, some positions, or other processes
 *   instance-norm.ts     batch norm of one batch of N·C channels
 *   row-norm.ts          moments of rows: layer, group and RMS norm
 *   differentiable.ts    all their gradients as formulas, for gradients of gradients
 */
export { batchNormEval, batchNormTrain, type RunningStatistics } from "./batch-norm.ts";
export type { Collective } from "./collective.ts";
export { instanceNormTrain } from "./instance-norm.ts";
export { batchNormJoint, type JointPart } from "./joint-batch-norm.ts";
export { groupNorm, layerNorm, rmsNorm } from "./row-norm.ts";
export { ACTIVATIONS, type Activation, activate } from "./tail.ts";
