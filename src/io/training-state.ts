import type { DataLoader, LoaderState } from "../data/loader.ts";
import type { Module } from "../nn/module.ts";
import { StateDict } from "../nn/state-dict.ts";
import type { Optimizer, OptimizerState } from "../optim/optimizer.ts";
import type { LRScheduler } from "../optim/scheduler.ts";
import { tensor } from "../tensor/creation.ts";
import { defaultGenerator, type Generator } from "../tensor/generator.ts";
import { Tensor } from "../tensor/tensor.ts";
import { CheckpointError } from "../util/errors.ts";
import { load } from "./load.ts";
import { save } from "./save.ts";
import type { CheckpointInput } from "./source.ts";
import type { CheckpointValue } from "./values.ts";

/** What a run consists of: give the same parts when saving and when resuming. */
export interface TrainingParts {
  model: Module;
  // biome-ignore lint/suspicious/noExplicitAny: any optimizer
  optimizer?: Optimizer<any>;
  scheduler?: LRScheduler;
  /** its place inside a pass, the order of the pass and its own generator */
  // biome-ignore lint/suspicious/noExplicitAny: any loader
  loader?: DataLoader<any, any>;
  /** further generators that the run draws from; the default one is always saved */
  generators?: Readonly<Record<string, Generator>>;
}

/** Marks the files, and counts their layouts. */
const LAYOUT = 1;

interface SavedState<Extra> {
  training_state: number;
  model: StateDict;
  optimizer: OptimizerState | null;
  scheduler: Parameters<LRScheduler["loadStateDict"]>[0] | null;
  loader: LoaderState | null;
  generators: Record<string, Tensor>;
  extra: Extra;
}

const generatorsOf = (parts: TrainingParts): [string, Generator][] => [
  ["default", defaultGenerator],
  ...Object.entries(parts.generators ?? {}),
];

/**
 * Saves all that a run needs to go on as if it had not been interrupted: weights and statistics, optimizer, scheduler, random generators, and
 * where the loader is. Resumed, it ends with bit-identical weights. Call it between steps: the batch at hand counts as done.
 *
 * The file is PyTorch's: torch.load(path)["model"] and ["optimizer"] are state dicts. To a path it is written atomically; a null path gives the bytes.
 * @param extra what else is to be remembered, such as { epoch, best }
 * @throws CheckpointError if it cannot be written
 * @example
 * ```ts
 * import { io, nn, optim } from "evenkeel";
 * const model = new nn.BatchNorm1d(2);
 * const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
 * const bytes = await io.saveTrainingState(null, { model, optimizer }, { epoch: 3 });
 * const { epoch } = await io.loadTrainingState<{ epoch: number }>(bytes, { model, optimizer });
 * epoch; // => 3
 * ```
 */
export async function saveTrainingState(
  path: null,
  parts: TrainingParts,
  extra?: CheckpointValue | object,
): Promise<Uint8Array>;
export async function saveTrainingState(
  path: string | URL,
  parts: TrainingParts,
  extra?: CheckpointValue | object,
): Promise<void>;
export async function saveTrainingState(
  path: string | URL | null,
  parts: TrainingParts,
  extra: CheckpointValue | object = null as CheckpointValue,
): Promise<unknown> {
  const { model, optimizer, scheduler, loader } = parts;
  const state: SavedState<CheckpointValue | object> = {
    training_state: LAYOUT,
    model: model.stateDict(),
    optimizer: optimizer?.stateDict() ?? null,
    scheduler: scheduler?.stateDict() ?? null,
    loader: loader?.stateDict() ?? null,
    generators: Object.fromEntries(
      generatorsOf(parts).map(([name, generator]) => [name, tensor(generator.getState())]),
    ),
    extra,
  };
  return save(path as string, state, { format: "torch" });
}

/**
 * Brings a run back to where saveTrainingState left it, and returns what was saved beside it. The parts are made as they were then; their
 * values are replaced in place.
 * @throws CheckpointError if the file is damaged, holds something else, or was saved with other parts
 * @throws StateDictError if a part does not fit
 * @example
 * ```ts
 * import { io, manualSeed, nn, rand } from "evenkeel";
 * const model = new nn.Linear(2, 2);
 * const bytes = await io.saveTrainingState(null, { model });
 * const next = rand([1]).item();
 * await io.loadTrainingState(bytes, { model });
 * rand([1]).item() === next; // => true
 * ```
 */
export async function loadTrainingState<Extra = CheckpointValue>(
  input: CheckpointInput,
  parts: TrainingParts,
): Promise<Extra> {
  const saved = await load<SavedState<Extra>>(input);
  const file = typeof input === "string" ? input : "the training state";
  if (saved?.training_state !== LAYOUT || !(saved.model instanceof StateDict) || typeof saved.generators !== "object") {
    throw new CheckpointError("this is no training state", "expected a file of io.saveTrainingState", { file });
  }
  for (const name of ["optimizer", "scheduler", "loader"] as const) {
    if ((saved[name] === null) !== (parts[name] === undefined)) {
      throw new CheckpointError(
        saved[name] === null ? "it was saved without one" : "it was saved with one, and none was given",
        "give the same parts as when it was saved",
        { file, key: name },
      );
    }
  }
  const generators = generatorsOf(parts).map(([name, generator]) => {
    const state = saved.generators[name];
    if (state instanceof Tensor) return [generator, state.toTypedArray() as Uint8Array] as const;
    throw new CheckpointError("it was saved without this generator", "give the same parts as when it was saved", {
      file,
      key: `generators.${name}`,
    });
  });
  parts.model.loadStateDict(saved.model);
  if (saved.optimizer) parts.optimizer?.loadStateDict(saved.optimizer);
  if (saved.scheduler) parts.scheduler?.loadStateDict(saved.scheduler);
  if (saved.loader) parts.loader?.loadStateDict(saved.loader);
  for (const [generator, state] of generators) generator.setState(state);
  return saved.extra;
}
