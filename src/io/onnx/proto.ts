import type { DType } from "../../tensor/dtype.ts";

/*
 * The messages of onnx.proto that are written here, as protobufjs takes them.
 */

export interface TensorProto {
  name?: string;
  dims: readonly number[];
  dataType: number;
  rawData: Uint8Array;
}

export interface AttributeProto {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  ints?: readonly number[];
}

export interface NodeProto {
  name: string;
  opType: string;
  input: readonly string[];
  output: readonly string[];
  attribute: readonly AttributeProto[];
  docString?: string;
}

export interface ValueInfoProto {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: readonly ({ dimValue: number } | { dimParam: string })[] } } };
}

export interface GraphProto {
  name: string;
  node: readonly NodeProto[];
  initializer: readonly TensorProto[];
  input: readonly ValueInfoProto[];
  output: readonly ValueInfoProto[];
}

export interface ModelProto {
  irVersion: number;
  opsetImport: readonly { domain: string; version: number }[];
  producerName: string;
  producerVersion: string;
  docString: string;
  graph: GraphProto;
}

/** TensorProto.DataType */
export const ELEMENT_TYPES: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** An attribute's value: a whole number is an INT, an object with f a FLOAT. */
export type AttributeValue = number | string | readonly number[] | { readonly f: number };

// AttributeProto.AttributeType
const [FLOAT, INT, STRING, INTS] = [1, 2, 3, 7];

/** The message for an attribute. */
export function attributeProto(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === "number") return { name, type: INT, i: value };
  if (typeof value === "string") return { name, type: STRING, s: new TextEncoder().encode(value) };
  return "f" in value ? { name, type: FLOAT, f: value.f } : { name, type: INTS, ints: value };
}

/** IR_VERSION that came with an opset: runtimes refuse one that is newer than they. */
export function irVersionOf(opset: number): number {
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  return opset <= 22 ? 10 : 11;
}

/** What writes a model. The schema and its library are loaded when they are first needed. */
export async function modelWriter(): Promise<(model: ModelProto) => Uint8Array> {
  const { onnx } = await import("./generated/schema.ts");
  return (model) => {
    const bytes: Uint8Array = onnx.ModelProto.encode(model).finish();
    // On Node a Buffer, and a small one is part of a larger: a user wants neither.
    const isWhole = bytes.length === bytes.buffer.byteLength;
    return isWhole ? new Uint8Array(bytes.buffer) : Uint8Array.from(bytes);
  };
}
