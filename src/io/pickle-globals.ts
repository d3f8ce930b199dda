import {
  PickleDict,
  PickleGlobal,
  type PickleKey,
  PickleNumpyType,
  PickleStorage,
  PickleTensor,
  PickleTuple,
  type PickleValue,
} from "./pickle-values.ts";
import { STORED_DTYPES } from "./stored-dtype.ts";

/** Why a call of an allowed function is refused. */
export class PickleRefusal extends Error {}

type Call = (args: readonly PickleValue[]) => PickleValue;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function countsOf(value: PickleValue, what: string): number[] {
  if (!(value instanceof PickleTuple) || !value.items.every(isCount))
    throw new PickleRefusal(`a tensor's ${what} must be a tuple of whole numbers from 0`);
  return value.items as number[];
}

/** torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks): a view of a storage. */
function rebuildTensor(args: readonly PickleValue[]): PickleTensor {
  const [storage, offset, size, stride, requiresGrad = false] = args;
  if (!(storage instanceof PickleStorage)) throw new PickleRefusal("a tensor without a storage");
  if (!isCount(offset)) throw new PickleRefusal("a tensor's offset must be a whole number from 0");
  const shape = countsOf(size, "sizes");
  const strides = countsOf(stride, "strides");
  if (shape.length !== strides.length || shape.length > 64)
    throw new PickleRefusal(`a tensor of ${shape.length} sizes and ${strides.length} strides`);
  const last = shape.includes(0) ? -1 : shape.reduce((sum, n, d) => sum + (n - 1) * strides[d], offset);
  const numel = shape.reduce((product, n) => product * n, 1);
  if (!(last < storage.numel) || !Number.isSafeInteger(numel)) {
    throw new PickleRefusal(
      `a tensor of shape [${shape.join(", ")}], strides [${strides.join(", ")}] and offset ${offset} reaches beyond its ` +
        `storage "${storage.key}" of ${storage.numel} elements`,
    );
  }
  return new PickleTensor(storage, offset, shape, strides, requiresGrad === true, false);
}

function rebuildParameter([data, requiresGrad]: readonly PickleValue[]): PickleTensor {
  if (!(data instanceof PickleTensor)) throw new PickleRefusal("a parameter without a tensor");
  return new PickleTensor(data.storage, data.offset, data.shape, data.strides, requiresGrad === true, true);
}

/** Keys that can be looked up. `__proto__` would change what JavaScript objects are. */
export function dictKey(value: PickleValue): PickleKey {
  if (value === "__proto__") throw new PickleRefusal('"__proto__" is no key that a checkpoint needs');
  if (value === null || ["string", "number", "bigint", "boolean"].includes(typeof value)) return value as PickleKey;
  throw new PickleRefusal("dict keys must be strings or numbers");
}

/** An OrderedDict, from nothing or, as Python 2 wrote it, from a list of pairs. */
function orderedDict([pairs]: readonly PickleValue[]): PickleDict {
  const dict = new PickleDict("OrderedDict");
  if (pairs === undefined) return dict;
  for (const pair of itemsOf(pairs)) {
    const items = itemsOf(pair);
    if (items.length !== 2) throw new PickleRefusal("collections.OrderedDict takes pairs");
    dict.entries.set(dictKey(items[0]), items[1]);
  }
  return dict;
}

function itemsOf(value: PickleValue): readonly PickleValue[] {
  if (value !== null && typeof value === "object" && "items" in value) return value.items;
  throw new PickleRefusal("collections.OrderedDict takes pairs");
}

function counter([counts]: readonly PickleValue[]): PickleDict {
  const dict = new PickleDict("dict");
  if (counts === undefined) return dict;
  if (!(counts instanceof PickleDict)) throw new PickleRefusal("collections.Counter takes a dict");
  for (const [key, value] of counts.entries) dict.entries.set(key, value);
  return dict;
}

/** "cpu" or "cuda:0": where a tensor was does not matter here. */
function device(args: readonly PickleValue[]): string {
  if (!args.every((arg) => typeof arg === "string" || typeof arg === "number"))
    throw new PickleRefusal("torch.device takes a name and a number");
  return args.join(":");
}

/** bytes, as protocol 2 writes them: a string of characters up to 255. */
function latin1([text, encoding]: readonly PickleValue[]): Uint8Array {
  if (typeof text !== "string" || encoding !== "latin1") throw new PickleRefusal("_codecs.encode is for latin1 alone");
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const NUMPY_SCALARS: Readonly<Record<string, (view: DataView) => PickleValue>> = {
  f8: (view) => view.getFloat64(0, true),
  f4: (view) => view.getFloat32(0, true),
  i8: (view) => whole(view.getBigInt64(0, true)),
  i4: (view) => view.getInt32(0, true),
  i2: (view) => view.getInt16(0, true),
  i1: (view) => view.getInt8(0),
  u8: (view) => whole(view.getBigUint64(0, true)),
  u4: (view) => view.getUint32(0, true),
  u2: (view) => view.getUint16(0, true),
  u1: (view) => view.getUint8(0),
  b1: (view) => view.getUint8(0) !== 0,
};

/** A number where it holds the value, else a bigint. */
export function whole(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function numpyType([code]: readonly PickleValue[]): PickleNumpyType {
  const plain = typeof code === "string" ? code.replace(/^[<|=]/, "") : "";
  if (!(plain in NUMPY_SCALARS)) throw new PickleRefusal(`numpy.dtype(${String(code)}) is no type of numbers`);
  return new PickleNumpyType(plain);
}

function numpyScalar([type, bytes]: readonly PickleValue[]): PickleValue {
  if (!(type instanceof PickleNumpyType && bytes instanceof Uint8Array && bytes.length === Number(type.code[1])))
    throw new PickleRefusal("a numpy scalar without its type or bytes");
  return NUMPY_SCALARS[type.code](new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
}

/** Names that stand for themselves: classes of storages, factories of defaultdict. */
const NAMES = [
  ...STORED_DTYPES.map(({ storage }) => `torch.${storage}Storage`),
  "torch.storage.UntypedStorage",
  "torch.storage._UntypedStorage",
  "torch.UntypedStorage",
  ...["dict", "list", "int", "float"].flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`]),
];

/** torch.float32 and its kin, as the strings that they print. */
const DTYPE = /^torch\.(float64|float32|float16|bfloat16|u?int(8|16|32|64)|bool|complex(64|128))$/;

/**
 * Everything that a pickle may call, and what stands in for it. Each makes plain data of its arguments; none looks anything up, reads a file or
 * runs what it was given.
 */
const CALLS: Readonly<Record<string, Call>> = {
  "collections.OrderedDict": orderedDict,
  "collections.defaultdict": () => new PickleDict("dict"),
  "collections.Counter": counter,
  "argparse.Namespace": () => new PickleDict("Namespace"),
  "torch._utils._rebuild_tensor": rebuildTensor,
  "torch._utils._rebuild_tensor_v2": rebuildTensor,
  "torch._utils._rebuild_parameter": rebuildParameter,
  "torch.Size": ([sizes]) => new PickleTuple(countsOf(sizes, "sizes")),
  "torch.device": device,
  "_codecs.encode": latin1,
  "numpy.dtype": numpyType,
  "numpy.core.multiarray.scalar": numpyScalar,
  "numpy._core.multiarray.scalar": numpyScalar,
};

/** What stands for a global in the pickle, or undefined if the allow-list lacks it. */
export function lookUp(name: string): PickleValue | undefined {
  if (DTYPE.test(name)) return name;
  return Object.hasOwn(CALLS, name) || NAMES.includes(name) ? new PickleGlobal(name) : undefined;
}

/** What an allowed global makes of its arguments. */
export function call(callee: PickleValue, args: PickleValue): PickleValue {
  if (!(callee instanceof PickleGlobal && Object.hasOwn(CALLS, callee.name)))
    throw new PickleRefusal(
      callee instanceof PickleGlobal ? `${callee.name} is called` : "something is called that is no function",
    );
  if (!(args instanceof PickleTuple)) throw new PickleRefusal(`${callee.name} is called without a tuple of arguments`);
  return CALLS[callee.name](args.items);
}

/** torch.FloatStorage → its element type; an untyped one counts bytes. */
export function storageType(value: PickleValue): (typeof STORED_DTYPES)[number] {
  const name = value instanceof PickleGlobal ? value.name : "";
  const known = STORED_DTYPES.find(({ storage }) => name === `torch.${storage}Storage`);
  if (known) return known;
  if (name.endsWith("UntypedStorage")) return STORED_DTYPES.find((type) => type.name === "uint8")!;
  throw new PickleRefusal("a storage without a type");
}
