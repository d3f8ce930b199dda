import { Parameter } from "../nn/parameter.ts";
import { StateDict } from "../nn/state-dict.ts";
import { isFloat } from "../tensor/dtype.ts";
import type { Storage } from "../tensor/memory.ts";
import { Tensor } from "../tensor/tensor.ts";
import { CheckpointError } from "../util/errors.ts";
import {
  PickleDict,
  PickleGlobal,
  type PickleKey,
  PickleList,
  PickleNumpyType,
  PickleStorage,
  PickleTensor,
  PickleTuple,
  type PickleValue,
} from "./pickle-values.ts";

/**
 * What a checkpoint can hold, in Python's terms:
 * - None, bool, int (a bigint beyond 2 ** 53), float, str, bytes: null, boolean, number, bigint, string, Uint8Array;
 * - list: an array; tuple: a frozen array;
 * - an OrderedDict of tensors: a StateDict; a dict whose keys are all strings, or all whole numbers: an object; any other dict: a Map.
 */
export type CheckpointValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tensor
  | StateDict
  | readonly CheckpointValue[]
  | ReadonlyMap<PickleKey, CheckpointValue>
  | { readonly [key: string]: CheckpointValue };

/** Deeper than any trainer nests, and far from the end of JavaScript's own stack. */
const MOST_DEPTH = 200;
/** Values counted as often as they are met: a few lists of lists of the same list would be more than anybody can walk through. */
const MOST_VALUES = 1e7;
/** A key that JavaScript would sort as a number. */
export const WHOLE = /^(0|[1-9]\d{0,14})$/;

/** Makes values of a pickle: tensors over the storages that were read. @throws CheckpointError if it contains itself or is too deep */
export function toValue(pickled: PickleValue, storageOf: (key: string) => Storage, file: string): CheckpointValue {
  const known = new Map<object, { value: CheckpointValue; weight: number }>();
  const open = new Set<object>();
  let weight = 0;

  const fail = (problem: string, path: string) =>
    new CheckpointError(problem, "no trainer writes this: do not trust the file", { file, key: path.slice(0, 200) });

  const tensorOf = (tensor: PickleTensor): Tensor => {
    const { shape, strides, offset, requiresGrad, isParameter } = tensor;
    const { dtype } = tensor.storage.stored;
    const made = new Tensor(storageOf(tensor.storage.key), shape, strides, dtype, offset);
    const trained = requiresGrad && isFloat(dtype);
    if (isParameter) return new Parameter(made, trained);
    made.requiresGrad = trained;
    return made;
  };

  const dictOf = (dict: PickleDict, path: string): CheckpointValue => {
    const entries = [...dict.entries].map(([key, value]): [PickleKey, CheckpointValue] => [
      key,
      convert(value, path ? `${path}.${String(key)}` : String(key)),
    ]);
    const versions = dict.attributes?.entries.get("_metadata");
    const areTensors = entries.every(([key, value]) => typeof key === "string" && value instanceof Tensor);
    if (dict.kind === "OrderedDict" && areTensors && (entries.length > 0 || versions !== undefined)) {
      const state = new StateDict(entries as [string, Tensor][]);
      state.metadata = metadataOf(versions);
      return state;
    }
    const isPlain = entries.every(([key]) => typeof key === "string" && !WHOLE.test(key));
    const isNumbered = entries.every(([key]) => typeof key === "number" && WHOLE.test(String(key)));
    if (!isPlain && !isNumbered) return new Map(entries);
    const object: Record<string, CheckpointValue> = {};
    for (const [key, value] of entries) object[String(key)] = value;
    return object;
  };

  const make = (value: object, path: string): CheckpointValue => {
    if (value instanceof PickleTensor) return tensorOf(value);
    if (value instanceof PickleDict) return dictOf(value, path);
    if (value instanceof PickleList) return value.items.map((item, i) => convert(item, `${path}[${i}]`));
    if (value instanceof PickleTuple)
      return Object.freeze(value.items.map((item, i) => convert(item, `${path}[${i}]`)));
    if (value instanceof PickleStorage) return tensorOf(new PickleTensor(value, 0, [value.numel], [1], false, false));
    throw fail("a class or a type stands where a value should be", path);
  };

  const convert = (value: PickleValue, path: string): CheckpointValue => {
    if (++weight > MOST_VALUES) throw fail(`more than ${MOST_VALUES} values`, path);
    if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
    if (value instanceof PickleGlobal || value instanceof PickleNumpyType)
      throw fail("a class or a type stands where a value should be", path);
    const before = known.get(value);
    if (before) {
      weight += before.weight;
      if (weight > MOST_VALUES) throw fail(`more than ${MOST_VALUES} values`, path);
      return before.value;
    }
    if (open.has(value)) throw fail("a value contains itself", path);
    if (open.size >= MOST_DEPTH) throw fail(`values nested more than ${MOST_DEPTH} deep`, path);
    open.add(value);
    const start = weight;
    const made = make(value, path);
    open.delete(value);
    known.set(value, { value: made, weight: weight - start });
    return made;
  };

  return convert(pickled, "");
}

/** The versions of a state dict: module path → { version }. */
function metadataOf(versions: PickleValue | undefined): StateDict["metadata"] {
  if (!(versions instanceof PickleDict)) return null;
  const metadata = new Map<string, { version?: number }>();
  for (const [path, value] of versions.entries) {
    const version = value instanceof PickleDict ? value.entries.get("version") : undefined;
    metadata.set(String(path), typeof version === "number" ? { version } : {});
  }
  return metadata;
}
