export * from "./elementwise";
export * from "./gradient";
export * from "./memory";
export * from "./unary";
