export { gelu, leakyRelu, relu, relu6, sigmoid, silu, softplus, tanh } from "../ops/activation.ts";
export { oneHot } from "../ops/indexing.ts";
export { logSoftmax, softmax } from "../ops/softmax.ts";
export { linear } from "./linear.ts";
export { batchNorm, groupNorm, instanceNorm, layerNorm } from "./norm.ts";
