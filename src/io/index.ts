import "../ops/methods.ts";
import "../runtime.ts";

export { type CheckpointFormat, type LoadOptions, load, loadMetadata } from "./load.ts";
export type { NarrowDType } from "./narrow.ts";
export type { OnnxExample } from "./onnx/examples.ts";
export { exportOnnx, type OnnxOptions } from "./onnx/export.ts";
export { type SaveFormat, type SaveOptions, save } from "./save.ts";
export type { CheckpointInput } from "./source.ts";
export { loadTrainingState, saveTrainingState, type TrainingParts } from "./training-state.ts";
export type { CheckpointValue } from "./values.ts";
