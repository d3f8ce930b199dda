import { noGrad } from "../autograd/mode.ts";
import { StateDict } from "../nn/state-dict.ts";
import { zeros } from "../tensor/creation.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";

/** A layer and the batch norm that is taken to follow it. */
export interface Pair {
  layer: string;
  norm: string;
}

/** The last name of a module's path, and what stands before it. */
function split(path: string): [parent: string, name: string] {
  const dot = path.lastIndexOf(".");
  return [path.slice(0, Math.max(dot, 0)), path.slice(dot + 1)];
}

/** Whether names say that the second follows the first: 0 and 1, conv1 and bn1, conv and norm. */
function areNeighbours(layer: string, norm: string): boolean {
  const [[parent, first], [otherParent, second]] = [split(layer), split(norm)];
  if (parent !== otherParent) return false;
  if (/^\d+$/.test(first) && /^\d+$/.test(second)) return Number(second) === Number(first) + 1;
  const match = /^(?:conv|fc|linear|lin)_?(\w*)$/i.exec(first);
  return match !== null && new RegExp(`^(?:bn|norm|batch_?norm)_?${match[1]}$`, "i").test(second);
}

/** Layers and batch norms that stand right behind each other in a state dict and are named so. What a network does between them is not in the file. */
export function pairsByNames(state: StateDict): Pair[] {
  const modules = [...new Set([...state.keys()].map((key) => key.slice(0, Math.max(key.lastIndexOf("."), 0))))];
  return modules.slice(1).flatMap((norm, i): Pair[] => {
    const layer = modules[i];
    const [weight, mean] = [state.get(`${layer}.weight`), state.get(`${norm}.running_mean`)];
    const fits = weight && weight.ndim >= 2 && mean?.numel === weight.shape[0] && state.has(`${norm}.running_var`);
    return fits && areNeighbours(layer, norm) ? [{ layer, norm }] : [];
  });
}

/** W · γ / √(var + eps) and (b − mean) · γ / √(var + eps) + β, in double precision, rounded once. */
function folded(state: StateDict, { layer, norm }: Pair, eps: number): [weight: Tensor, bias: Tensor] {
  const get = (key: string) => state.get(key)?.detach();
  const [weight, mean, variance] = [`${layer}.weight`, `${norm}.running_mean`, `${norm}.running_var`].map(
    (key) => get(key) as Tensor,
  );
  const root = variance.double().add(eps).sqrt();
  const scale = (get(`${norm}.weight`)?.double() ?? root.mul(0).add(1)).div(root);
  const bias = (get(`${layer}.bias`) ?? zeros([mean.numel])).double().sub(mean.double()).mul(scale);
  const shift = get(`${norm}.bias`);
  const scales = scale.reshape([-1, ...Array<number>(weight.ndim - 1).fill(1)]);
  return [weight.double().mul(scales).to(weight.dtype), (shift ? bias.add(shift.double()) : bias).to(weight.dtype)];
}

/** The state dict with these batch norms in the layers before them, and without their keys. */
export function foldPairs(state: StateDict, pairs: readonly Pair[], eps: number): StateDict {
  const byLayer = new Map(pairs.map((pair) => [pair.layer, pair]));
  const norms = new Set(pairs.map(({ norm }) => norm));
  const made = new StateDict();
  made.metadata = state.metadata && new Map([...state.metadata].filter(([path]) => !norms.has(path)));
  noGrad(() => {
    for (const [key, value] of state) {
      const dot = key.lastIndexOf(".");
      const [path, name] = [key.slice(0, Math.max(dot, 0)), key.slice(dot + 1)];
      const pair = byLayer.get(path);
      if (norms.has(path) || (pair && name === "bias")) continue;
      if (pair && name === "weight") {
        const [weight, bias] = tidy(() => folded(state, pair, eps));
        made.set(key, weight).set(`${path}.bias`, bias);
      } else made.set(key, value);
    }
  });
  return made;
}
