export { type BackwardOptions, backward, grad } from "./engine.ts";
export { enableGrad, isGradEnabled, noGrad } from "./mode.ts";
