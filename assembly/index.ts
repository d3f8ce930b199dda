export * from "./elementwise";
export * from "./gemm";
export * from "./gradient";
export * from "./memory";
export * from "./norm";
export * from "./norm-rows";
export * from "./unary";
