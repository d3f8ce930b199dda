import { enableGrad, noGrad } from "../autograd/mode.ts";
import { zerosLike } from "../tensor/creation.ts";
import { isFloat } from "../tensor/dtype.ts";
import { StepMemory } from "../tensor/memory.ts";
import { packed, Tensor } from "../tensor/tensor.ts";
import { ArgumentError, StateDictError } from "../util/errors.ts";

/** Parameters that share options. */
export type ParamGroup<Options> = Options & {
  params: Tensor[];
  /** written by learning rate schedulers */
  [extra: string]: unknown;
};

/** A group as given by the user: some options may be left to the defaults. */
export type ParamGroupInput<Options> = { params: Iterable<Tensor> } & Partial<Options>;

/** What optimizers remember of one parameter, by PyTorch's names; null where a file says that there is nothing. */
export type ParamState = Record<string, Tensor | number | null>;

/** A parameter that an optimizer moves. */
export interface Move {
  /** contiguous, as is the gradient */
  readonly param: Tensor;
  readonly gradient: Tensor;
  readonly state: ParamState;
}

/** An optimizer's state as PyTorch's state_dict() lays it out: parameters are numbered in the order they were given. */
export interface OptimizerState {
  state: Record<number, ParamState>;
  param_groups: (Record<string, unknown> & { params: number[] })[];
}

const toSnake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const toCamel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/**
 * The base of all optimizers, as torch.optim.Optimizer: groups of parameters, and what is remembered of each.
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const [w, b] = [tensor([1], { requiresGrad: true }), tensor([0], { requiresGrad: true })];
 * const optimizer: optim.Optimizer = new optim.SGD([{ params: [w] }, { params: [b], lr: 0.01 }], { lr: 0.1 });
 * optimizer.paramGroups.length; // => 2
 * ```
 */
export abstract class Optimizer<Options extends object = object> {
  readonly paramGroups: ParamGroup<Options>[] = [];
  /** What is remembered of each parameter between steps. */
  readonly state = new Map<Tensor, ParamState>();
  /** The options that groups take where they give none. */
  readonly defaults: Options;
  readonly #memory = new StepMemory();

  constructor(params: Iterable<Tensor> | Iterable<ParamGroupInput<Options>>, defaults: Options) {
    this.defaults = defaults;
    const given = [...params];
    if (given.length === 0) throw new ArgumentError("optimizer got an empty parameter list");
    if (given[0] instanceof Tensor) this.addParamGroup({ params: given } as unknown as ParamGroupInput<Options>);
    else for (const group of given as ParamGroupInput<Options>[]) this.addParamGroup(group);
  }

  /** Adds parameters with options of their own. @throws ArgumentError if one is no leaf tensor or is there already */
  addParamGroup(group: ParamGroupInput<Options>): void {
    const params = [...group.params];
    const known = new Set(this.paramGroups.flatMap((other) => other.params));
    for (const param of params) {
      if (!(param instanceof Tensor))
        throw new ArgumentError(`optimizer can only optimize Tensors, but one of the params is ${typeof param}`);
      if (!param.isLeaf) throw new ArgumentError("can't optimize a non-leaf Tensor", "give the parameters themselves");
      if (!isFloat(param.dtype)) throw new ArgumentError(`can't optimize a ${param.dtype} tensor`);
      if (!param.isContiguous)
        throw new ArgumentError("can't optimize a view that is not contiguous", "use contiguous() when making it");
      if (known.has(param)) throw new ArgumentError("some parameters appear in more than one parameter group");
      known.add(param);
    }
    // Not by spreading: V8 gives what it makes so one hidden class or another, and update() is compiled anew for each.
    const full = Object.assign({}, this.defaults, group, { params }) as ParamGroup<Options>;
    this.checkOptions(full);
    this.paramGroups.push(full);
  }

  /** Refuses options out of range. @throws ArgumentError with PyTorch's sentence */
  protected abstract checkOptions(options: Options): void;

  /** Moves parameters of a group by their gradients. */
  protected abstract update(moves: readonly Move[], options: ParamGroup<Options>): void;

  /**
   * Moves every parameter that has a gradient. A closure that recomputes the loss (calling backward itself) may be given; its result is returned.
   */
  step(): void;
  step<T>(closure: () => T): T;
  step<T>(closure?: () => T): T | undefined {
    const result = closure && enableGrad(closure);
    noGrad(() => {
      for (const group of this.paramGroups) {
        const moves: Move[] = [];
        for (const param of group.params) {
          const { grad } = param;
          if (!grad) continue;
          let state = this.state.get(param);
          if (!state) {
            state = {};
            this.state.set(param, state);
          }
          moves.push({ param, gradient: packed(grad), state });
        }
        this.update(moves, group);
        for (const { param, gradient } of moves) {
          if (gradient !== param.grad) gradient.dispose();
          param.storage.version++;
        }
      }
    });
    this.#memory.onStep();
    return result;
  }

  /** Drops all gradients; in a loop without a loader also what earlier steps left in memory. */
  zeroGrad(): void {
    for (const group of this.paramGroups) for (const param of group.params) param.releaseGrad();
    this.#memory.onZeroGrad();
  }

  /** A tensor of the state, made of zeros when first asked for. */
  protected remembered(state: ParamState, name: string, param: Tensor): Tensor {
    let found = state[name];
    if (!(found instanceof Tensor)) {
      found = zerosLike(param).keep();
      state[name] = found;
    }
    return found;
  }

  /** The number of the step being taken, from 1. */
  protected countStep(state: ParamState): number {
    const step = Number(state.step ?? 0) + 1;
    state.step = step;
    return step;
  }

  /** The state as PyTorch writes it, sharing memory with the optimizer. */
  stateDict(): OptimizerState {
    const numbers = new Map<Tensor, number>();
    for (const group of this.paramGroups) for (const param of group.params) numbers.set(param, numbers.size);
    const state: Record<number, ParamState> = {};
    for (const [param, remembered] of this.state) state[numbers.get(param) ?? -1] = { ...remembered };
    const groups = this.paramGroups.map(({ params, ...options }) => ({
      ...Object.fromEntries(Object.entries(options).map(([name, value]) => [toSnake(name), value])),
      params: params.map((param) => numbers.get(param) ?? -1),
    }));
    return { state, param_groups: groups };
  }

  /** Takes over a state that stateDict of the same kind of optimizer wrote; tensors are copied. @throws StateDictError if the groups differ */
  loadStateDict(saved: OptimizerState): void {
    if (saved.param_groups.length !== this.paramGroups.length) {
      throw new StateDictError("loaded state dict has a different number of parameter groups");
    }
    const order: Tensor[] = [];
    saved.param_groups.forEach((group, i) => {
      if (group.params.length !== this.paramGroups[i].params.length) {
        throw new StateDictError(
          "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
        );
      }
      group.params.forEach((number, j) => {
        order[number] = this.paramGroups[i].params[j];
      });
    });
    for (const [number, remembered] of Object.entries(saved.state)) {
      const param = order[Number(number)];
      if (!param) throw new StateDictError(`loaded state dict remembers parameter ${number}, which no group has`);
      for (const [name, value] of Object.entries(remembered)) {
        if (name !== "step" && value instanceof Tensor && value.shape.join() !== param.shape.join()) {
          throw new StateDictError(
            `${name} of parameter ${number} has shape [${value.shape.join(", ")}]`,
            `the parameter's is [${param.shape.join(", ")}]`,
          );
        }
      }
    }
    this.state.clear();
    for (const [number, remembered] of Object.entries(saved.state)) {
      const param = order[Number(number)];
      const copied: ParamState = {};
      for (const [name, value] of Object.entries(remembered)) {
        if (!(value instanceof Tensor)) copied[name] = value;
        // PyTorch counts steps in a tensor.
        else copied[name] = name === "step" ? value.item() : value.to(param.dtype).clone().keep();
      }
      this.state.set(param, copied);
    }
    saved.param_groups.forEach(({ params: _, ...options }, i) => {
      const named = Object.entries(options).map(([name, value]) => [toCamel(name), value]);
      Object.assign(this.paramGroups[i], Object.fromEntries(named));
    });
  }
}

/** Refuses a number outside [from, to). @throws ArgumentError "Invalid lr: -1" */
export function checkRange(name: string, value: number, from: number, to = Number.POSITIVE_INFINITY): void {
  if (!(value >= from && value < to)) {
    throw new ArgumentError(
      `Invalid ${name}: ${value}`,
      to === Number.POSITIVE_INFINITY ? `it must be at least ${from}` : `it must be in [${from}, ${to})`,
    );
  }
}
