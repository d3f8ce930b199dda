import * as models from "../models/index.ts";
import { skipInit } from "../nn/skip-init.ts";
import type { StateDict } from "../nn/state-dict.ts";
import { fuse } from "../tools/fuse.ts";
import { ArgumentError, CheckpointError, StateDictError } from "../util/errors.ts";
import { type Checkpoint, withoutPrefix } from "./checkpoint.ts";

type Options = { numClasses?: number };

const MAKERS = {
  resnet18: (options: Options) => models.resnet18(options),
  resnet34: (options: Options) => models.resnet34(options),
  resnet50: (options: Options) => models.resnet50(options),
  resnet20: (options: Options) => models.resnet20(options),
  vgg11_bn: (options: Options) => models.vgg11Bn(options),
  vgg16_bn: (options: Options) => models.vgg16Bn(options),
  mobilenet_v2: (options: Options) => models.mobilenetV2(options),
  densenet121: (options: Options) => models.densenet121(options),
} satisfies Record<string, (options: Options) => models.ImageModel>;

export type ModelName = keyof typeof MAKERS;

/** torchvision's names. */
export const modelNames = Object.keys(MAKERS) as ModelName[];

/** Blocks of a stage, or layers of a kind: how many different numbers a pattern finds in the keys. */
function countIn(keys: readonly string[], pattern: RegExp): number {
  return new Set(keys.map((key) => pattern.exec(key)?.[1]).filter((found) => found !== undefined)).size;
}

/** The network that has such keys, if there is one here. */
export function recognise(state: StateDict): ModelName | null {
  const keys = [...state.keys()];
  const has = (end: string) => keys.some((key) => key === end || key.endsWith(`.${end}`));
  if (has("layer1.0.conv1.weight") && has("fc.weight")) {
    const stages = [1, 2, 3, 4].map((stage) => countIn(keys, new RegExp(`(?:^|\\.)layer${stage}\\.(\\d+)\\.`)));
    const deep = has("layer1.0.conv3.weight");
    const found = { "2,2,2,2": "resnet18", "3,4,6,3": deep ? "resnet50" : "resnet34", "3,3,3,0": "resnet20" }[
      stages.join()
    ];
    return (found as ModelName | undefined) ?? null;
  }
  if (has("features.denseblock4.denselayer16.conv2.weight")) {
    return countIn(keys, /denseblock3\.denselayer(\d+)\./) === 24 ? "densenet121" : null;
  }
  if (has("features.18.0.weight") && has("features.1.conv.0.0.weight")) return "mobilenet_v2";
  // With batch norms convolutions are 0, 4, 8; without 0, 3, 6.
  if (has("features.0.weight") && has("features.4.weight") && has("classifier.6.weight")) {
    const convolutions = [...state].filter(([key, { ndim }]) => /features\.\d+\.weight$/.test(key) && ndim === 4);
    return ({ 8: "vgg11_bn", 13: "vgg16_bn" } as const)[convolutions.length] ?? null;
  }
  return null;
}

/** How many classes the last layer scores. */
function classesOf(state: StateDict): number | undefined {
  return [...state].findLast(([key, { ndim }]) => key.endsWith("weight") && ndim === 2)?.[1].shape[0];
}

/** The network of a checkpoint, with its weights, in evaluation. */
export interface LoadedModel {
  name: ModelName;
  model: models.ImageModel;
  numClasses: number;
}

/** A few keys of a list. */
function some(what: string, keys: readonly string[]): string {
  if (keys.length === 0) return "";
  const rest = keys.length > 3 ? ` and ${keys.length - 3} more` : "";
  return `${what} ${keys.slice(0, 3).join(", ")}${rest}`;
}

/**
 * Makes the network that a checkpoint is of and loads it.
 * @throws ArgumentError if it is none that is known
 * @throws StateDictError if it does not fit
 */
export function loadModel(
  checkpoint: Checkpoint,
  options: { model?: ModelName; numClasses?: number; advice: string },
): LoadedModel {
  const { path, state } = checkpoint;
  const name = options.model ?? recognise(state);
  if (!name) {
    throw new ArgumentError(
      `${path} is of no network that is known by its keys`,
      `say which with --model (${modelNames.join(", ")})${options.advice}`,
    );
  }
  const numClasses = options.numClasses ?? classesOf(state);
  if (numClasses === undefined)
    throw new CheckpointError("it has no layer of class scores", `a ${name} ends in one`, { file: path });
  const model = skipInit<models.ImageModel>(() => MAKERS[name]({ numClasses })).eval();
  const first = model.stateDict().keys().next().value ?? "";
  const key = [...state.keys()].find((one) => one === first || one.endsWith(`.${first}`)) ?? first;
  const prefix = key.slice(0, key.length - first.length);
  const fitting = prefix ? withoutPrefix(state, prefix) : state;
  // Folded already: the same network without batch norms.
  if (![...state.keys()].some((one) => one.endsWith("running_mean"))) fuse(model);
  const expected = model.stateDict();
  const missing = [...expected.keys()].filter((one) => !fitting.has(one) && !one.endsWith("num_batches_tracked"));
  const unexpected = [...fitting.keys()].filter((one) => !expected.has(one));
  const sized = [...expected].flatMap(([one, { shape }]) => {
    const found = fitting.get(one);
    return found && found.shape.join() !== shape.join()
      ? [`${one} [${found.shape.join(", ")}] instead of [${shape.join(", ")}]`]
      : [];
  });
  const misfits = [some("missing", missing), some("unexpected", unexpected), some("of another shape:", sized)];
  if (missing.length + unexpected.length + sized.length > 0) {
    const classes = options.numClasses === undefined ? "" : ` with ${numClasses} classes`;
    throw new StateDictError(`${path} does not fit a ${name}${classes}`, misfits.filter(Boolean).join("; "));
  }
  model.loadStateDict(fitting, { strict: false });
  return { name, model, numClasses };
}
