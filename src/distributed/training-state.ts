import {
  loadTrainingState as loadHere,
  saveTrainingState as saveHere,
  type TrainingParts,
} from "../io/training-state.ts";
import type { CheckpointValue } from "../io/values.ts";
import { tensor } from "../tensor/creation.ts";
import { defaultGenerator, Generator } from "../tensor/generator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError, CheckpointError } from "../util/errors.ts";
import type { Communicator } from "./communicator.ts";
import { communicator } from "./init.ts";
import { DistributedSampler } from "./sampler.ts";

/** What is saved beside the user's own: the default generator of every rank. */
interface Saved<Extra> {
  ranks: Tensor[];
  extra: Extra;
}

/** Bytes of rank 0 for all. */
function broadcastBytes(ranks: Communicator, bytes: Uint8Array | null): Uint8Array {
  return tidy(() => {
    const length = ranks.broadcast_(tensor([bytes?.length ?? 0], { dtype: "float64" })).item();
    const all = tensor(ranks.rank === 0 && bytes ? bytes : new Uint8Array(length));
    return ranks.broadcast_(all).toTypedArray() as Uint8Array;
  });
}

/** Runs what rank 0 alone does. If it fails, every rank throws its error, so that none waits for another. */
async function onRankZero<T>(ranks: Communicator, body: () => Promise<T>): Promise<T | null> {
  let result: T | null = null;
  let failure = "";
  if (ranks.rank === 0) {
    try {
      result = await body();
    } catch (error) {
      if (ranks.worldSize === 1) throw error;
      failure = (error as Error).message;
    }
  }
  ranks.barrier();
  const said = new TextDecoder().decode(broadcastBytes(ranks, new TextEncoder().encode(failure)));
  if (said)
    throw new CheckpointError(said, ranks.rank === 0 ? undefined : "rank 0 failed, and its word is that of all");
  return result;
}

/**
 * Saves a run of all ranks, which hold the same model and optimizer: io.saveTrainingState on rank 0, atomically, while the others wait; beside it every rank's default generator. Give the
 * module itself, not DistributedDataParallel, so that the file serves one process too. Every rank calls it, between steps.
 * @throws CheckpointError on every rank if it cannot be written
 * @throws ArgumentError inside a pass of a DistributedSampler, of which only rank 0's order would be saved
 * @example
 * ```ts
 * import { nn } from "evenkeel";
 * import { loadTrainingState, saveTrainingState } from "evenkeel/distributed";
 * import { tmpdir } from "node:os";
 * const model = new nn.BatchNorm1d(2);
 * await saveTrainingState(`${tmpdir()}/evenkeel-example.pt`, { model }, { epoch: 3 });
 * const { epoch } = await loadTrainingState<{ epoch: number }>(`${tmpdir()}/evenkeel-example.pt`, { model });
 * epoch; // => 3
 * ```
 */
export async function saveTrainingState(
  path: string | URL,
  parts: TrainingParts,
  extra: CheckpointValue | object = null as CheckpointValue,
  options: { communicator?: Communicator } = {},
): Promise<void> {
  const ranks = options.communicator ?? communicator();
  const { loader } = parts;
  if (ranks.worldSize > 1 && loader?.sampler instanceof DistributedSampler && loader.stateDict().order) {
    throw new ArgumentError(
      "the loader is inside a pass of a DistributedSampler, where every rank has an order of its own",
      "save between passes, or use ShardedDataset, whose order is the same on all ranks",
    );
  }
  const states = ranks.allGather(tensor(defaultGenerator.getState()));
  await onRankZero(ranks, () => saveHere(path, parts, { ranks: states, extra }));
  states[0].dispose();
}

/**
 * Brings all ranks back to where saveTrainingState left them, and returns what was saved beside it. Rank 0 reads the file and sends it to the others, which need not see it. The number of
 * ranks may have changed: a new rank's default generator starts from one that was saved.
 * @throws CheckpointError on every rank if it cannot be read or is no training state of all ranks
 * @throws StateDictError if a part does not fit
 * @example
 * ```ts
 * import { CheckpointError, nn } from "evenkeel";
 * import { loadTrainingState } from "evenkeel/distributed";
 * await loadTrainingState("/nowhere/state.pt", { model: new nn.Linear(1, 1) }); // throws CheckpointError
 * ```
 */
export async function loadTrainingState<Extra = CheckpointValue>(
  path: string | URL,
  parts: TrainingParts,
  options: { communicator?: Communicator } = {},
): Promise<Extra> {
  const ranks = options.communicator ?? communicator();
  const { readFile } = await import("node:fs/promises");
  const read = async () => {
    try {
      return await readFile(path);
    } catch (error) {
      throw new CheckpointError(`the file cannot be read (${(error as NodeJS.ErrnoException).code})`, undefined, {
        file: String(path),
      });
    }
  };
  const bytes = broadcastBytes(ranks, await onRankZero(ranks, read));
  const saved = await loadHere<Saved<Extra>>(bytes, parts);
  const { rank } = ranks;
  if (!Array.isArray(saved?.ranks) || saved.ranks.length === 0) {
    throw new CheckpointError("this is a training state of one process", "load it with io.loadTrainingState", {
      file: String(path),
    });
  }
  const state = saved.ranks[rank % saved.ranks.length].toTypedArray() as Uint8Array;
  if (rank < saved.ranks.length) defaultGenerator.setState(state);
  else defaultGenerator.manualSeed(new Generator().setState(state).random64() + BigInt(rank));
  return saved.extra;
}
