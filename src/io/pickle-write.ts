import { Parameter } from "../nn/parameter.ts";
import { StateDict } from "../nn/state-dict.ts";
import { ITEM_BYTES } from "../tensor/dtype.ts";
import type { Storage } from "../tensor/memory.ts";
import { contiguousStrides } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { storedAs } from "./stored-dtype.ts";
import { type CheckpointValue, WHOLE } from "./values.ts";

/** Elements to be written beside a pickle, in the order of their keys 0, 1, 2, … */
export interface PickledStorage {
  /** one of the tensors that lie in it */
  readonly tensor: Tensor;
  /** whether the whole storage is written: several tensors share it, or one covers it; else the tensor's elements in row-major order */
  readonly whole: boolean;
  readonly numel: number;
}

/** Bytes that grow. */
class ByteWriter {
  private bytes = new Uint8Array(4096);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  /** Makes room for so many bytes; returns where they go. */
  private room(length: number): number {
    const at = this.length;
    this.length += length;
    if (this.length > this.view.byteLength) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }

  u8(...values: number[]): void {
    this.put(values);
  }

  u32(value: number): void {
    const at = this.room(4);
    this.view.setUint32(at, value, true);
  }

  i32(value: number): void {
    const at = this.room(4);
    this.view.setInt32(at, value, true);
  }

  /** big-endian, as pickle has floats */
  f64(value: number): void {
    const at = this.room(8);
    this.view.setFloat64(at, value, false);
  }

  put(bytes: ArrayLike<number>): void {
    const at = this.room(bytes.length);
    this.bytes.set(bytes, at);
  }

  done(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

const encoder = new TextEncoder();
/** Deeper than any trainer nests; Python's own unpickler and ours have such bounds too. */
const MOST_DEPTH = 200;

/**
 * A pickle of protocol 2 as torch.save writes it, and the storages that its tensors lie in. Tensors that share memory share a storage, with
 * their strides; a lone view of a larger storage is written by itself.
 * @throws ArgumentError for values that a checkpoint does not hold
 */
export function pickle(value: CheckpointValue): { bytes: Uint8Array; storages: PickledStorage[] } {
  const writer = new PickleWriter(countTensors(value));
  return { bytes: writer.run(value), storages: writer.storages };
}

/** How many different views of each storage a value holds. */
function countTensors(value: unknown, found = new Map<Storage, Set<string>>(), seen = new Set<unknown>()) {
  if (value === null || typeof value !== "object" || seen.has(value)) return found;
  seen.add(value);
  if (value instanceof Tensor) {
    const views = found.get(value.storage) ?? new Set();
    found.set(value.storage, views.add(`${value.shape}|${value.strides}|${value.storageOffset}`));
  } else if (!ArrayBuffer.isView(value)) {
    const inner = value instanceof Map ? value.values() : Object.values(value);
    for (const item of inner) countTensors(item, found, seen);
  }
  return found;
}

class PickleWriter {
  readonly storages: PickledStorage[] = [];
  private readonly out = new ByteWriter();
  private readonly keys = new Map<Storage, number>();
  private readonly open = new Set<object>();

  constructor(private readonly views: ReadonlyMap<Storage, ReadonlySet<string>>) {}

  run(value: CheckpointValue): Uint8Array {
    this.out.u8(0x80, 2);
    this.save(value, "");
    this.out.u8(0x2e);
    return this.out.done();
  }

  private refuse(problem: string, path: string): ArgumentError {
    const place = path ? ` at "${path}"` : "";
    return new ArgumentError(
      `${problem}${place} cannot be saved`,
      "a checkpoint holds tensors, numbers, strings, booleans, null, and arrays, objects and Maps of them",
    );
  }

  private save(value: CheckpointValue | undefined, path: string): void {
    const { out } = this;
    if (value === null) out.u8(0x4e);
    else if (typeof value === "boolean") out.u8(value ? 0x88 : 0x89);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "bigint") this.bigint(value);
    else if (typeof value === "string") this.string(value);
    else if (typeof value !== "object") throw this.refuse(`a value of type ${typeof value}`, path);
    else if (value instanceof Tensor) this.tensor(value);
    else {
      if (this.open.has(value)) throw this.refuse("a value that contains itself", path);
      if (this.open.size >= MOST_DEPTH) throw this.refuse(`a value nested more than ${MOST_DEPTH} deep`, path);
      this.open.add(value);
      this.container(value, path);
      this.open.delete(value);
    }
  }

  private container(value: object, path: string): void {
    const { out } = this;
    const inner = (key: string) => (path ? `${path}.${key}` : key);
    if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) {
      // A frozen array is a tuple, an ordinary one a list.
      const isTuple = Object.isFrozen(value);
      if (!isTuple) out.u8(0x5d);
      out.u8(0x28);
      value.forEach((item, i) => {
        this.save(item, `${path}[${i}]`);
      });
      out.u8(isTuple ? 0x74 : 0x65);
    } else if (value instanceof Map) {
      const isState = value instanceof StateDict;
      if (isState) this.orderedDict();
      else out.u8(0x7d);
      out.u8(0x28);
      for (const [key, item] of value) {
        this.save(key, inner(String(key)));
        this.save(item, inner(String(key)));
      }
      out.u8(0x75);
      if (isState && value.metadata) this.metadata(value.metadata);
    } else {
      const { prototype } = Object;
      const own = Object.getPrototypeOf(value);
      if (own !== prototype && own !== null) throw this.refuse(`an object of class ${value.constructor?.name}`, path);
      out.u8(0x7d, 0x28);
      for (const [key, item] of Object.entries(value)) {
        if (item === undefined) continue;
        if (WHOLE.test(key)) this.number(Number(key));
        else this.string(key);
        this.save(item, inner(key));
      }
      out.u8(0x75);
    }
  }

  /** An attribute of the OrderedDict that lies on the stack. */
  private metadata(metadata: NonNullable<StateDict["metadata"]>): void {
    const { out } = this;
    out.u8(0x7d);
    this.string("_metadata");
    this.orderedDict();
    out.u8(0x28);
    for (const [path, { version }] of metadata) {
      this.string(path);
      out.u8(0x7d);
      if (version === undefined) continue;
      this.string("version");
      this.number(version);
      out.u8(0x73);
    }
    out.u8(0x75, 0x73, 0x62);
  }

  /** Whole numbers become ints: JavaScript cannot tell 1 from 1.0. */
  private number(value: number): void {
    const { out } = this;
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      out.u8(0x47);
      out.f64(value);
    } else if (value >= 0 && value < 256) out.u8(0x4b, value);
    else if (value === (value | 0)) {
      out.u8(0x4a);
      out.i32(value);
    } else this.bigint(BigInt(value));
  }

  private bigint(value: bigint): void {
    const bytes: number[] = [];
    // two's complement of as few bytes as keep the sign
    let rest = value;
    for (; rest !== BigInt.asIntN(8, rest); rest >>= 8n) bytes.push(Number(rest & 255n));
    bytes.push(Number(rest & 255n));
    if (bytes.length > 128) throw this.refuse(`an integer of ${bytes.length} bytes`, "");
    this.out.u8(0x8a, bytes.length, ...bytes);
  }

  private string(text: string): void {
    const bytes = encoder.encode(text);
    this.out.u8(0x58);
    this.out.u32(bytes.length);
    this.out.put(bytes);
  }

  private bytes(bytes: Uint8Array): void {
    this.global("_codecs", "encode");
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    this.string(text);
    this.string("latin1");
    this.out.u8(0x86, 0x52);
  }

  private global(module: string, name: string): void {
    this.out.u8(0x63);
    this.out.put(encoder.encode(`${module}\n${name}\n`));
  }

  private orderedDict(): void {
    this.global("collections", "OrderedDict");
    this.out.u8(0x29, 0x52);
  }

  private sizes(values: readonly number[]): void {
    this.out.u8(0x28);
    for (const value of values) this.number(value);
    this.out.u8(0x74);
  }

  private tensor(tensor: Tensor): void {
    const { out } = this;
    const { whole, key, numel } = this.storageOf(tensor);
    const trained = tensor.requiresGrad && tensor.isLeaf;
    if (tensor instanceof Parameter) {
      this.global("torch._utils", "_rebuild_parameter");
      out.u8(0x28);
    }
    this.global("torch._utils", "_rebuild_tensor_v2");
    out.u8(0x28, 0x28);
    this.string("storage");
    this.global("torch", `${storedAs(tensor.dtype).storage}Storage`);
    this.string(String(key));
    this.string("cpu");
    this.number(numel);
    out.u8(0x74, 0x51);
    this.number(whole ? tensor.storageOffset : 0);
    this.sizes(tensor.shape);
    this.sizes(whole ? tensor.strides : contiguousStrides(tensor.shape));
    out.u8(trained ? 0x88 : 0x89);
    this.orderedDict();
    out.u8(0x74, 0x52);
    if (tensor instanceof Parameter) {
      out.u8(trained ? 0x88 : 0x89);
      this.orderedDict();
      out.u8(0x74, 0x52);
    }
  }

  private storageOf(tensor: Tensor): { key: number; whole: boolean; numel: number } {
    const { storage } = tensor;
    const known = this.keys.get(storage);
    if (known !== undefined) return { key: known, ...this.storages[known] };
    const size = storage.bytes / ITEM_BYTES[tensor.dtype];
    const whole = (this.views.get(storage)?.size ?? 0) > 1 || tensor.numel >= size;
    const entry = { tensor, whole, numel: whole ? size : tensor.numel };
    const key = this.storages.push(entry) - 1;
    this.keys.set(storage, key);
    return { key, ...entry };
  }
}
