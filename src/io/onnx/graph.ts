import { type DType, ITEM_BYTES, type TypedArray } from "../../tensor/dtype.ts";
import type { Shape } from "../../tensor/shape.ts";
import { toBfloat16, toFloat16 } from "../../util/reduced-precision.ts";
import { type AttributeValue, attributeProto, ELEMENT_TYPES, type NodeProto, type TensorProto } from "./proto.ts";

const ARRAYS: Readonly<Partial<Record<DType, { from(values: ArrayLike<number>): TypedArray }>>> = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Numbers as ONNX stores them: little-endian, as this library runs on nothing else. */
function rawBytes(dtype: DType, values: ArrayLike<number | bigint>): Uint8Array {
  let array: TypedArray;
  if (dtype === "int64") array = BigInt64Array.from(values as ArrayLike<number>, (value) => BigInt(value));
  else if (dtype === "float16") array = Uint16Array.from(values as ArrayLike<number>, toFloat16);
  else if (dtype === "bfloat16") array = Uint16Array.from(values as ArrayLike<number>, toBfloat16);
  else array = ARRAYS[dtype]!.from(values as ArrayLike<number>);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Nodes and constants under names of their own, in the order they were made. */
export class Graph {
  nodes: NodeProto[] = [];
  readonly constants = new Map<string, TensorProto>();
  /** names of the model's tensors that nodes read */
  readonly state = new Set<string>();
  readonly #names = new Map<string, number>();
  readonly #constantNames = new Map<string, string>();

  constructor(reserved: readonly string[]) {
    for (const name of reserved) this.#names.set(name, 1);
  }

  /** A name that nothing else has. */
  unique(wanted: string): string {
    const before = this.#names.get(wanted) ?? 0;
    this.#names.set(wanted, before + 1);
    return before === 0 ? wanted : this.unique(`${wanted}_${before}`);
  }

  /** Adds a node and gives the name of its output. */
  node(
    place: string,
    opType: string,
    input: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string {
    const name = this.unique(`${place}/${opType}`);
    const output = this.unique(`${name}_output_0`);
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
    this.nodes.push({ name, opType, input, output: [output], attribute });
    return output;
  }

  /** A constant tensor; the same numbers are stored once. */
  constant(dtype: DType, shape: Shape, values: ArrayLike<number | bigint>, wanted = "constant"): string {
    const content = values.length <= 64 ? `${dtype} ${shape.join()} ${Array.from(values, spell).join()}` : null;
    const known = content && this.#constantNames.get(content);
    if (known) return known;
    const name = this.unique(wanted);
    this.constants.set(name, {
      name,
      dims: shape,
      dataType: ELEMENT_TYPES[dtype],
      rawData: rawBytes(dtype, values),
    });
    if (content) this.#constantNames.set(content, name);
    return name;
  }

  /** Bytes of the constants. */
  get bytes(): number {
    return [...this.constants.values()].reduce((sum, { rawData }) => sum + rawData.length, 0);
  }

  /** Drops nodes that no output needs, and constants and state that no node needs. */
  prune(outputs: readonly string[]): void {
    const needed = new Set(outputs);
    for (const node of this.nodes.toReversed()) {
      if (needed.has(node.output[0])) for (const input of node.input) needed.add(input);
    }
    this.nodes = this.nodes.filter(({ output }) => needed.has(output[0]));
    for (const name of this.constants.keys()) if (!needed.has(name)) this.constants.delete(name);
    for (const key of this.state) if (!needed.has(key)) this.state.delete(key);
  }

  /** Gives values other names. */
  rename(names: ReadonlyMap<string, string>): void {
    const named = (name: string) => names.get(name) ?? name;
    this.nodes = this.nodes.map((node) => ({ ...node, input: node.input.map(named), output: node.output.map(named) }));
  }
}

/** −0 and 0 are two constants. */
const spell = (value: number | bigint) => (Object.is(value, -0) ? "-0" : String(value));

/** Bytes of a tensor of a dtype and shape. */
export function bytesOf(dtype: DType, shape: Shape): number {
  return shape.reduce((n, size) => n * size, ITEM_BYTES[dtype]);
}
