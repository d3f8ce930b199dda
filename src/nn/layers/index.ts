export { GELU, LeakyReLU, LogSoftmax, ReLU, ReLU6, Sigmoid, SiLU, Softmax, Softplus, Tanh } from "./activation.ts";
export { Linear } from "./linear.ts";
export { Flatten, Identity, Unflatten } from "./shape.ts";
