import "../ops/methods.ts";
import "../runtime.ts";

export { ModuleDict, ModuleList, Sequential } from "./container.ts";
export * as init from "./init.ts";
export * from "./layers/index.ts";
export { type ForwardHook, Module, type NamedOptions } from "./module.ts";
export * from "./norm/index.ts";
export { Parameter } from "./parameter.ts";
export { skipInit } from "./skip-init.ts";
export { type LoadResult, StateDict } from "./state-dict.ts";
export { UninitializedBuffer, UninitializedParameter } from "./uninitialized.ts";
