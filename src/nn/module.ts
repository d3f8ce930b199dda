import { noGrad } from "../autograd/mode.ts";
import { type DType, isFloatingPoint } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { Conversion } from "./conversion.ts";
import { addForwardHook, type Hook } from "./hooks.ts";
import { Parameter } from "./parameter.ts";
import { moduleString } from "./printing.ts";
import { LoadReport, type LoadResult, StateDict } from "./state-dict.ts";

/** Called after forward; a returned value replaces the output. */
export type ForwardHook = Hook<Module>;

/** Which tensors a module lists, and under which names. */
export interface NamedOptions {
  /** what their paths begin with */
  prefix?: string;
  /** those of all modules below too, true */
  recurse?: boolean;
}

/**
 * The base of all layers and networks, as torch.nn.Module: finds parameters and children in its own fields, in the order they were assigned;
 * buffers through registerBuffer. Keys of the state dict are the field names as written.
 * @example
 * ```ts
 * import { nn, randn, type Tensor } from "evenkeel";
 * class Block extends nn.Module {
 *   linear = new nn.Linear(4, 3);
 *   bn = new nn.BatchNorm1d(3);
 *   forward(x: Tensor) {
 *     return this.bn.forward(this.linear.forward(x));
 *   }
 * }
 * const block = new Block();
 * block.forward(randn([2, 4])).shape; // => [2, 3]
 * [...block.stateDict().keys()][0]; // => linear.weight
 * ```
 */
export abstract class Module {
  /** Whether the module is in training mode; see train() and eval(). */
  training = true;
  readonly #buffers = new Map<string, { tensor: Tensor | null; persistent: boolean }>();

  /** Computes the output. */
  // biome-ignore lint/suspicious/noExplicitAny: modules take and give whatever they like
  abstract forward(...inputs: any[]): any;

  /** Whether the output for one sample depends on what else is in the batch. */
  get mixesBatch(): boolean {
    return false;
  }

  /**
   * The outputs of several inputs that are one batch, split: layers whose statistics span the batch take them over all inputs, so that a large
   * batch in pieces gives what it gives whole. Sequential passes the pieces on; a module of your own that holds such layers has to override this.
   * @throws ArgumentError where it does not
   * @example
   * ```ts
   * import { nn, ones, zeros } from "evenkeel";
   * const model = new nn.Sequential(new nn.Flatten(), new nn.BatchNorm1d(1));
   * const [a, b] = model.forwardMany([zeros([3, 1]), ones([3, 1])]);
   * [a.mean().item(), b.mean().item()]; // => [-1, 1]
   * ```
   */
  forwardMany(inputs: readonly Tensor[]): Tensor[] {
    const mixing = this.modules().find((module) => module !== this && module.mixesBatch);
    if (mixing) {
      throw new ArgumentError(
        `${this.className} does not say how several inputs pass through it as one batch, which its ${mixing.className} depends on`,
        "override forwardMany: call forwardMany where forward calls forward",
      );
    }
    return inputs.map((input) => this.forward(input));
  }

  /** Version of the state dict's layout for this class, written into its metadata. */
  get stateVersion(): number {
    return 1;
  }

  /** The name that PyTorch prints. */
  get className(): string {
    return this.constructor.name;
  }

  /** What stands between the parentheses when the module is printed. */
  extraRepr(): string {
    return "";
  }

  // ---- parts -------------------------------------------------------------------------------------------------

  /** Children by name, in the order they were assigned; the same child may have several names. */
  protected ownChildren(): [string, Module][] {
    return Object.entries(this).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }

  private ownParameters(): [string, Parameter][] {
    return Object.entries(this).filter((entry): entry is [string, Parameter] => entry[1] instanceof Parameter);
  }

  /**
   * Makes a tensor that is not learned part of the module's state. It is reached through `getBuffer` (and an accessor of
   * the subclass); `persistent: false` leaves it out of the state dict.
   */
  registerBuffer(name: string, tensor: Tensor | null, options: { persistent?: boolean } = {}): void {
    if (name.includes(".")) throw new ArgumentError('buffer name can\'t contain "."', `it is "${name}"`);
    if (name === "") throw new ArgumentError('buffer name can\'t be empty string ""');
    const before = this.#buffers.get(name)?.tensor;
    tensor?.keep();
    before?.storage.unpin();
    this.#buffers.set(name, { tensor, persistent: options.persistent ?? true });
  }

  /** The buffer at a path such as "bn1.running_mean", or null where it was registered as absent. @throws ArgumentError if there is none */
  getBuffer(path: string): Tensor | null {
    const own = this.#buffers.get(path);
    if (own) return own.tensor;
    const [owner, name] = this.ownerOf(path);
    const found = owner.#buffers.get(name);
    if (!found) throw owner.lacks(name, "a buffer", path);
    return found.tensor;
  }

  /** The parameter at a path such as "layer1.0.bn1.weight". @throws ArgumentError if there is none */
  getParameter(path: string): Parameter {
    const [owner, name] = this.ownerOf(path);
    const found = new Map(owner.ownParameters()).get(name);
    if (!found) throw owner.lacks(name, "an nn.Parameter", path);
    return found;
  }

  /** The module that a path ends in, and the last name of the path. */
  private ownerOf(path: string): [Module, string] {
    const dot = path.lastIndexOf(".");
    return [dot < 0 ? this : this.getSubmodule(path.slice(0, dot)), path.slice(dot + 1)];
  }

  private lacks(name: string, kind: string, path: string): ArgumentError {
    const isOther = name in this || this.#buffers.has(name);
    const problem = isOther ? `\`${name}\` is not ${kind}` : `${this.className} has no attribute \`${name}\``;
    return new ArgumentError(problem, `looking for "${path}"`);
  }

  /** This module and all below it with their paths, parents first; a module met twice is listed once. */
  namedModules(prefix = "", seen = new Set<Module>()): [string, Module][] {
    if (seen.has(this)) return [];
    seen.add(this);
    const found: [string, Module][] = [[prefix, this]];
    for (const [name, child] of this.ownChildren()) {
      found.push(...child.namedModules(prefix ? `${prefix}.${name}` : name, seen));
    }
    return found;
  }

  /** This module and all below it. */
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }

  /** The direct children by name; a child met twice is listed once, unless `removeDuplicate` is false. */
  namedChildren(options: { removeDuplicate?: boolean } = {}): [string, Module][] {
    if (options.removeDuplicate === false) return this.ownChildren();
    const seen = new Set<Module>();
    return this.ownChildren().filter(([, child]) => !seen.has(child) && seen.add(child));
  }

  /** The direct children. */
  children(): Module[] {
    return this.namedChildren().map(([, child]) => child);
  }

  private named<T extends Tensor>(own: (module: Module) => [string, T | null][], options: NamedOptions): [string, T][] {
    const { prefix = "", recurse = true } = options;
    const seen = new Set<T>();
    const found: [string, T][] = [];
    const modules: [string, Module][] = recurse ? this.namedModules(prefix) : [[prefix, this]];
    for (const [path, module] of modules) {
      for (const [name, tensor] of own(module)) {
        if (tensor === null || seen.has(tensor)) continue;
        seen.add(tensor);
        found.push([path ? `${path}.${name}` : name, tensor]);
      }
    }
    return found;
  }

  /** All parameters with their paths; a shared one is listed once. */
  namedParameters(options: NamedOptions = {}): [string, Parameter][] {
    return this.named((module) => module.ownParameters(), options);
  }

  /** All parameters: what an optimizer takes. */
  parameters(options: NamedOptions = {}): Parameter[] {
    return this.namedParameters(options).map(([, parameter]) => parameter);
  }

  /** All buffers with their paths. */
  namedBuffers(options: NamedOptions = {}): [string, Tensor][] {
    const own = (module: Module) =>
      [...module.#buffers].map(([name, { tensor }]): [string, Tensor | null] => [name, tensor]);
    return this.named(own, options);
  }

  /** All buffers. */
  buffers(options: NamedOptions = {}): Tensor[] {
    return this.namedBuffers(options).map(([, buffer]) => buffer);
  }

  /** The module at a path such as "layer1.0.bn1"; "" is the module itself. @throws ArgumentError */
  getSubmodule(path: string): Module {
    const names = path === "" ? [] : path.split(".");
    return names.reduce<Module>((at, name) => {
      const next = new Map(at.ownChildren()).get(name);
      if (!next) throw at.lacks(name, "an nn.Module", path);
      return next;
    }, this);
  }

  /** Replaces the module at a path, as torch.nn.Module.set_submodule. @throws ArgumentError if there is none */
  setSubmodule(path: string, module: Module): void {
    if (path === "") throw new ArgumentError("Cannot set the submodule without a target name!");
    this.getSubmodule(path);
    const [owner, name] = this.ownerOf(path);
    owner.replaceChild(name, module);
  }

  protected replaceChild(name: string, module: Module): void {
    (this as unknown as Record<string, Module>)[name] = module;
  }

  // ---- modes -------------------------------------------------------------------------------------------------

  /** Puts this module and all below it into training mode, or with false into evaluation. Returns the module. */
  train(mode = true): this {
    if (typeof mode !== "boolean") throw new ArgumentError("training mode is expected to be boolean");
    this.training = mode;
    for (const [, child] of this.ownChildren()) child.train(mode);
    return this;
  }

  /** Puts this module and all below it into evaluation mode. Returns the module. */
  eval(): this {
    return this.train(false);
  }

  /** Sets requiresGrad of all parameters. It does not stop batch norm from updating its running statistics: eval() does. */
  requiresGrad_(value = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = value;
    return this;
  }

  /** Drops all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.releaseGrad();
  }

  /** Calls `visit` with every module, children before parents. Returns the module. */
  apply(visit: (module: Module) => void): this {
    for (const [, child] of this.namedChildren()) child.apply(visit);
    visit(this);
    return this;
  }

  /**
   * Converts all floating point parameters (with their gradients) and buffers to a dtype, as torch.nn.Module.to. Parameters become new ones, so build the optimizer
   * afterwards; shared ones stay shared.
   * @throws ArgumentError for a dtype without fractions
   * @example
   * ```ts
   * import { io, nn } from "evenkeel";
   * const model = new nn.Sequential(new nn.Linear(4, 3), new nn.BatchNorm1d(3));
   * await io.save(null, model.half().stateDict()); // a checkpoint of half the size
   * model.buffers().map((x) => x.dtype); // => ["float16", "float16", "int64"]
   * model.float(); // to compute with it
   * ```
   */
  to(dtype: DType): this {
    if (!isFloatingPoint(dtype))
      throw new ArgumentError("nn.Module.to only accepts floating point dtypes", `got desired dtype=${dtype}`);
    const conversion = new Conversion(dtype);
    noGrad(() => {
      for (const module of this.modules()) {
        const fields = module as unknown as Record<string, unknown>;
        for (const [name, parameter] of module.ownParameters()) {
          if (parameter.dtype !== dtype) fields[name] = conversion.parameter(parameter);
        }
        for (const [name, { tensor, persistent }] of module.#buffers) {
          if (tensor && isFloatingPoint(tensor.dtype))
            module.registerBuffer(name, conversion.buffer(tensor), { persistent });
        }
      }
    });
    return this;
  }

  /** Converts to float16, to be stored: most layers compute in float32 and float64 alone, and say so. */
  half(): this {
    return this.to("float16");
  }

  /** Converts to bfloat16, to be stored, as half() does. */
  bfloat16(): this {
    return this.to("bfloat16");
  }

  /** Converts to float32. */
  float(): this {
    return this.to("float32");
  }

  /** Converts to float64. */
  double(): this {
    return this.to("float64");
  }

  /** Calls `hook` after each forward; returns a function that removes it. */
  registerForwardHook(hook: ForwardHook): () => void {
    return addForwardHook(this, hook);
  }

  // ---- state -------------------------------------------------------------------------------------------------

  /** Parameters and persistent buffers by PyTorch's keys, sharing memory with the module. */
  stateDict(): StateDict {
    const state = new StateDict();
    state.metadata = new Map();
    this.collectState(state, "");
    return state;
  }

  private collectState(state: StateDict, prefix: string): void {
    state.metadata?.set(prefix.slice(0, -1), { version: this.stateVersion });
    for (const [name, parameter] of this.ownParameters()) state.set(prefix + name, parameter.detach());
    for (const [name, { tensor, persistent }] of this.#buffers)
      if (tensor && persistent) state.set(prefix + name, tensor);
    for (const [name, child] of this.ownChildren()) child.collectState(state, `${prefix}${name}.`);
  }

  /**
   * Copies values by key into parameters and buffers, in place. With `strict` (the default) keys have to match exactly. Nothing is copied
   * unless everything fits. With `assign` (false) the module takes the given tensors themselves, dtypes included, so that a large state dict is not held twice; parameters become
   * new ones, so build the optimizer afterwards.
   * @throws StateDictError with PyTorch's list of what does not fit
   */
  loadStateDict(
    state: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
    options: { strict?: boolean; assign?: boolean } = {},
  ): LoadResult {
    const { strict = true, assign = false } = options;
    const given = StateDict.from(state);
    const report = new LoadReport(assign);
    const known = new Set<string>();
    this.matchState(given, "", report, known);
    for (const key of given.keys()) if (!known.has(key)) report.unexpected.push(key);
    report.check(this.className, strict);
    report.copy();
    return { missingKeys: report.missing, unexpectedKeys: report.unexpected };
  }

  /**
   * Lets a subclass adapt an older layout of its own part of a state dict before it is matched.
   * @param prefix what the module's keys begin with
   * @param version of the layout, undefined where the file carries none
   */
  protected upgradeState(_state: StateDict, _prefix: string, _version: number | undefined, _report: LoadReport): void {}

  private matchState(state: StateDict, prefix: string, report: LoadReport, known: Set<string>): void {
    this.upgradeState(state, prefix, state.metadata?.get(prefix.slice(0, -1))?.version, report);
    const persistent = [...this.#buffers].flatMap(([name, buffer]): [string, Tensor][] =>
      buffer.tensor && buffer.persistent ? [[name, buffer.tensor]] : [],
    );
    for (const [name, target] of [...this.ownParameters(), ...persistent]) {
      const key = prefix + name;
      known.add(key);
      const source = state.get(key);
      const replace = (made: Tensor) => {
        if (made instanceof Parameter) (this as unknown as Record<string, Parameter>)[name] = made;
        else this.registerBuffer(name, made);
      };
      if (source) report.match(key, target, source, replace);
      else report.missing.push(key);
    }
    for (const [name, child] of this.ownChildren()) child.matchState(state, `${prefix}${name}.`, report, known);
  }

  protected childrenRepr(): string[] {
    return this.ownChildren().map(([name, child]) => `(${name}): ${child}`);
  }

  /** The module as PyTorch prints it. */
  toString(): string {
    return moduleString(this.className, this.extraRepr(), this.childrenRepr());
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
