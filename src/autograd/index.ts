export { type BackwardOptions, backward, grad } from "./engine.ts";
export { type GradcheckOptions, gradcheck, gradgradcheck, type TensorFunction } from "./gradcheck.ts";
export { jvp } from "./jvp.ts";
export { enableGrad, isGradEnabled, noGrad } from "./mode.ts";
