export { gelu, leakyRelu, relu, relu6, sigmoid, silu, softplus, tanh } from "../ops/activation.ts";
export { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveMaxPool1d, adaptiveMaxPool2d } from "../ops/adaptive-pool.ts";
export { type ClassLossOptions, crossEntropy, nllLoss } from "../ops/cross-entropy.ts";
export { oneHot } from "../ops/indexing.ts";
export {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  huberLoss,
  type LossOptions,
  l1Loss,
  mseLoss,
  type Reduction,
  smoothL1Loss,
} from "../ops/loss.ts";
export { type AvgPoolOptions, avgPool1d, avgPool2d, type MaxPoolOptions, maxPool1d, maxPool2d } from "../ops/pool.ts";
export { logSoftmax, softmax } from "../ops/softmax.ts";
export { type ConvOptions, conv1d, conv2d } from "./conv.ts";
export { type DropoutOptions, dropout, dropout2d } from "./dropout.ts";
export { linear } from "./linear.ts";
export {
  type BatchNormOptions,
  batchNorm,
  batchNormAct,
  batchNormMany,
  instanceNorm,
  type NormActivation,
} from "./norm-batch.ts";
export { localResponseNorm, normalize, type ResponseOptions } from "./norm-response.ts";
export { groupNorm, layerNorm, rmsNorm } from "./norm-rows.ts";
