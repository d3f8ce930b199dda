import { noGrad } from "../autograd/mode.ts";
import { convert } from "../ops/convert.ts";
import { sizeString } from "../tensor/shape.ts";
import { aliasOf, packInto, Tensor } from "../tensor/tensor.ts";
import { ArgumentError, StateDictError } from "../util/errors.ts";
import { Parameter } from "./parameter.ts";
import { isUninitialized } from "./uninitialized.ts";

/**
 * Named tensors of a module, in PyTorch's order, with the versions of the modules that wrote them.
 * @example
 * ```ts
 * import { nn } from "evenkeel";
 * const state = new nn.BatchNorm1d(2).stateDict();
 * [...state.keys()]; // => [weight, bias, running_mean, running_var, num_batches_tracked]
 * state.metadata!.get("")!.version; // => 2
 * ```
 */
export class StateDict extends Map<string, Tensor> {
  /** module path ("" for the root) → version of its layout; absent in files that carry none */
  metadata: Map<string, { version?: number }> | null = null;

  /** A copy that may be changed. @throws ArgumentError if a value is no tensor */
  static from(state: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>): StateDict {
    const copy: StateDict = new StateDict(state instanceof Map ? state : Object.entries(state));
    for (const [key, value] of copy) {
      if (!(value instanceof Tensor))
        throw new ArgumentError(`the state dict's "${key}" is no tensor`, `it is ${typeof value}`);
    }
    copy.metadata = state instanceof StateDict ? state.metadata : null;
    return copy;
  }
}

/** What loadStateDict found out of place when strict was false. */
export interface LoadResult {
  /** keys that the module has and the state dict lacks */
  missingKeys: string[];
  /** keys that the state dict has and the module lacks */
  unexpectedKeys: string[];
}

/** Collects what is wrong while a state dict is compared with a module, before anything is copied. */
export class LoadReport {
  readonly missing: string[] = [];
  readonly unexpected: string[] = [];
  readonly errors: string[] = [];
  private readonly copies: [target: Tensor, source: Tensor, replace: (made: Tensor) => void][] = [];

  /** @param assign take the given tensors themselves instead of copies of their values */
  constructor(private readonly assign: boolean) {}

  /** Plans a copy, or notes that the shapes differ. @param replace puts another tensor in the target's place */
  match(key: string, target: Tensor, source: Tensor, replace: (made: Tensor) => void): void {
    if (isUninitialized(target) && isUninitialized(source)) return;
    // PyTorch 0.3 had no 0-dimensional tensors: a single number was stored as [1].
    const sameSizes = target.shape.join() === source.shape.join() || (target.ndim === 0 && source.shape.join() === "1");
    if (sameSizes) this.copies.push([target, source, replace]);
    else {
      this.errors.push(
        `size mismatch for ${key}: copying a param with shape ${sizeString(source.shape)} from checkpoint, ` +
          `the shape in current model is ${sizeString(target.shape)}.`,
      );
    }
  }

  /** Does what was planned. */
  copy(): void {
    if (this.assign) this.replaceAll();
    else noGrad(() => this.copyAll());
  }

  private copyAll(): void {
    for (const [target, source] of this.copies) {
      const values = convert(source, target.dtype);
      packInto(target, aliasOf(values, target.shape, values.ndim === target.ndim ? values.strides : []));
      target.storage.version++;
      if (values !== source) values.storage.release();
    }
  }

  private replaceAll(): void {
    const made = new Map<Tensor, Tensor>();
    for (const [target, source, replace] of this.copies) {
      const given = aliasOf(source.detach(), target.shape, source.ndim === target.ndim ? source.strides : []);
      // What modules share stays shared.
      const known =
        made.get(target) ?? (target instanceof Parameter ? new Parameter(given, target.requiresGrad) : given);
      made.set(target, known);
      replace(known);
    }
  }

  /** Raises PyTorch's error if anything is wrong. */
  check(className: string, strict: boolean): void {
    const list = (keys: string[]) => keys.map((key) => `"${key}"`).join(", ");
    const lines = [...this.errors];
    if (strict) {
      if (this.unexpected.length) lines.unshift(`Unexpected key(s) in state_dict: ${list(this.unexpected)}. `);
      if (this.missing.length) lines.unshift(`Missing key(s) in state_dict: ${list(this.missing)}. `);
    }
    if (lines.length) {
      throw new StateDictError(`Error(s) in loading state_dict for ${className}:\n\t${lines.join("\n\t")}`);
    }
  }
}
