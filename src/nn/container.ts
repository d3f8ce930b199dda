import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, IndexRangeError } from "../util/errors.ts";
import { Module } from "./module.ts";
import { joinedForward } from "./norm/joined.ts";

/** Children numbered from 0: what Sequential and ModuleList share. */
abstract class NumberedModules extends Module implements Iterable<Module> {
  readonly #items: Module[] = [];

  constructor(modules: Iterable<Module>) {
    super();
    for (const module of modules) this.append(module);
  }

  protected override ownChildren(): [string, Module][] {
    return [...this.#items.map((item, i): [string, Module] => [String(i), item]), ...super.ownChildren()];
  }

  protected override replaceChild(name: string, module: Module): void {
    const at = this.ownChildren().findIndex(([own]) => own === name);
    if (at >= 0 && at < this.length) this.set(at, module);
    else super.replaceChild(name, module);
  }

  /** Number of modules. */
  get length(): number {
    return this.#items.length;
  }

  /** The module at a position, from the end if negative. @throws IndexRangeError */
  at(index: number): Module {
    return this.#items[this.#position(index, this.length)];
  }

  /** Replaces the module at a position. @throws IndexRangeError */
  set(index: number, module: Module): void {
    this.#items[this.#position(index, this.length)] = checked(module);
  }

  /** Adds a module at the end. Returns the container. */
  append(module: Module): this {
    this.#items.push(checked(module));
    return this;
  }

  /** Adds a module before a position. Returns the container. @throws IndexRangeError */
  insert(index: number, module: Module): this {
    this.#items.splice(this.#position(index, this.length + 1), 0, checked(module));
    return this;
  }

  /** Adds modules at the end. Returns the container. */
  extend(modules: Iterable<Module>): this {
    for (const module of modules) this.append(module);
    return this;
  }

  [Symbol.iterator](): IterableIterator<Module> {
    return this.#items[Symbol.iterator]();
  }

  #position(index: number, length: number): number {
    const at = index < 0 ? index + length : index;
    if (!Number.isInteger(at) || at < 0 || at >= length) {
      throw new IndexRangeError(`index ${index} is out of range`, `${this.className} holds ${this.length} modules`);
    }
    return at;
  }
}

function checked(module: Module): Module {
  if (module instanceof Module) return module;
  throw new ArgumentError(`${String(module)} is not a Module subclass`, "containers hold modules");
}

/**
 * Modules applied one after the other, as torch.nn.Sequential; keys are "0.", "1.", …, or the names of an object as those of PyTorch's OrderedDict.
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const model = new nn.Sequential(new nn.Linear(4, 3), new nn.BatchNorm1d(3), new nn.ReLU());
 * model.forward(randn([2, 4])).shape; // => [2, 3]
 * [...model.stateDict().keys()].at(-1); // => 1.num_batches_tracked
 * const named = new nn.Sequential({ fc: new nn.Linear(4, 3), act: new nn.ReLU() });
 * [...named.stateDict().keys()]; // => [fc.weight, fc.bias]
 * ```
 */
export class Sequential extends NumberedModules {
  readonly #names: string[];

  constructor(...modules: Module[] | [Readonly<Record<string, Module>>]) {
    const [first] = modules;
    const isNamed = modules.length === 1 && !(first instanceof Module) && Object(first) === first;
    super(isNamed ? Object.values(first as Record<string, Module>) : (modules as Module[]));
    this.#names = isNamed ? Object.keys(first) : [];
  }

  /** Modules added later are numbered by their position. */
  protected override ownChildren(): [string, Module][] {
    return super.ownChildren().map(([name, child], i) => [this.#names[i] ?? name, child]);
  }

  override insert(index: number, module: Module): this {
    const at = index < 0 ? index + this.length : index;
    super.insert(index, module);
    if (this.#names.length > 0) this.#names.splice(at, 0, String(at));
    return this;
  }

  override get className(): string {
    return "Sequential";
  }

  /** The output of the last module. */
  forward(input: Tensor): Tensor {
    let output = input;
    const { length } = this;
    for (let i = 0; i < length; i++) {
      const module = this.at(i);
      const next = i + 1 < length ? this.at(i + 1) : undefined;
      const joined = next ? joinedForward(module, next, output) : null;
      if (joined) i++;
      output = joined ?? module.forward(output);
    }
    return output;
  }

  override forwardMany(inputs: readonly Tensor[]): Tensor[] {
    let outputs = [...inputs];
    for (const module of this) outputs = module.forwardMany(outputs);
    return outputs;
  }
}

/**
 * A list of modules whose parameters are found; it has no forward. As torch.nn.ModuleList.
 * @example
 * ```ts
 * import { nn } from "evenkeel";
 * const layers = new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 1)]);
 * layers.length; // => 2
 * ```
 */
export class ModuleList extends NumberedModules {
  constructor(modules: Iterable<Module> = []) {
    super(modules);
  }

  /** As PyTorch 2 prints it: equal neighbours on one line. */
  protected override childrenRepr(): string[] {
    const lines: string[] = [];
    const all = this.ownChildren().map(([name, child]) => ({ name, text: child.toString() }));
    for (let from = 0, to = 0; from < all.length; from = to) {
      while (to < all.length && all[to].text === all[from].text) to++;
      const { name, text } = all[from];
      lines.push(to - from === 1 ? `(${name}): ${text}` : `(${name}-${all[to - 1].name}): ${to - from} x ${text}`);
    }
    return lines;
  }

  /** @throws ArgumentError always: iterate over the list */
  forward(): never {
    throw noForward(this);
  }
}

/**
 * Modules by name whose parameters are found; it has no forward. As torch.nn.ModuleDict.
 * @example
 * ```ts
 * import { nn } from "evenkeel";
 * const norms = new nn.ModuleDict({ batch: new nn.BatchNorm2d(4), group: new nn.GroupNorm(2, 4) });
 * norms.get("group").toString(); // => GroupNorm(2, 4, eps=1e-05, affine=True)
 * ```
 */
export class ModuleDict extends Module {
  readonly #items = new Map<string, Module>();

  constructor(modules: Readonly<Record<string, Module>> = {}) {
    super();
    for (const [name, module] of Object.entries(modules)) this.set(name, module);
  }

  protected override ownChildren(): [string, Module][] {
    return [...this.#items, ...super.ownChildren()];
  }

  protected override replaceChild(name: string, module: Module): void {
    if (this.has(name)) this.set(name, module);
    else super.replaceChild(name, module);
  }

  /** The module of that name. @throws ArgumentError if there is none */
  get(name: string): Module {
    const found = this.#items.get(name);
    if (!found)
      throw new ArgumentError(
        `no module is called "${name}"`,
        `there are ${[...this.#items.keys()].join(", ") || "none"}`,
      );
    return found;
  }

  /** Adds or replaces a module. */
  set(name: string, module: Module): this {
    if (name === "") throw new ArgumentError('module name can\'t be empty string ""');
    if (name.includes(".")) throw new ArgumentError(`module name can't contain ".", got: ${name}`);
    this.#items.set(name, checked(module));
    return this;
  }

  has(name: string): boolean {
    return this.#items.has(name);
  }

  delete(name: string): boolean {
    return this.#items.delete(name);
  }

  keys(): IterableIterator<string> {
    return this.#items.keys();
  }

  values(): IterableIterator<Module> {
    return this.#items.values();
  }

  entries(): IterableIterator<[string, Module]> {
    return this.#items.entries();
  }

  /** @throws ArgumentError always: take the modules by name */
  forward(): never {
    throw noForward(this);
  }
}

function noForward(module: Module): ArgumentError {
  return new ArgumentError(
    `Module [${module.className}] is missing the required "forward" function`,
    "call forward of the modules in it",
  );
}
