import type { StoredDType } from "./stored-dtype.ts";

/** What a pickle holds, as data: nothing here can do anything. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleGlobal
  | PickleStorage
  | PickleTensor
  | PickleNumpyType;

/** Keys of a dict; Python allows more, state dicts do not need it. */
export type PickleKey = string | number | bigint | boolean | null;

export class PickleList {
  readonly items: PickleValue[] = [];
}

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** A dict or a kind of it. */
export class PickleDict {
  readonly entries = new Map<PickleKey, PickleValue>();
  /** attributes of the object, such as _metadata of a state dict */
  attributes: PickleDict | null = null;
  constructor(readonly kind: "dict" | "OrderedDict" | "Namespace") {}
}

/** A class or function that the pickle names, and the allow-list has. */
export class PickleGlobal {
  constructor(readonly name: string) {}
}

/** Elements that lie elsewhere in the file. */
export class PickleStorage {
  constructor(
    readonly key: string,
    readonly stored: StoredDType,
    /** number of elements */
    readonly numel: number,
  ) {}
}

/** A tensor over a storage, every element of which is known to lie inside. */
export class PickleTensor {
  constructor(
    readonly storage: PickleStorage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly requiresGrad: boolean,
    readonly isParameter: boolean,
  ) {}
}

/** A numpy.dtype, for numpy's scalars. */
export class PickleNumpyType {
  constructor(readonly code: string) {}
}
