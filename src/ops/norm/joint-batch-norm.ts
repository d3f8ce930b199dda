import { isGradEnabled, noGrad } from "../../autograd/mode.ts";
import { recordMany } from "../../autograd/record-many.ts";
import { backend } from "../../kernels/registry.ts";
import { fillTensor } from "../../tensor/convert.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { emptyAs, emptyTensor, packed, packedAs, type Tensor } from "../../tensor/tensor.ts";
import { tidy } from "../../tensor/tidy.ts";
import { AutogradError } from "../../util/errors.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { maximum } from "../binary.ts";
import { gt, where } from "../compare.ts";
import { filled, scalarTensor } from "../compute.ts";
import { convert } from "../convert.ts";
import { copy_ } from "../inplace.ts";
import { cat } from "../join.ts";
import { square } from "../pointwise.ts";
import { sum } from "../reduction.ts";
import { narrow } from "../slicing.ts";
import { reshape } from "../views.ts";
import { channelGradients, exactInvstd, type RunningStatistics, scaleAndShift } from "./batch-norm.ts";
import type { Collective } from "./collective.ts";
import { differentiableGradients } from "./differentiable.ts";
import { type Affine, byChannels, channelPositions, channelView } from "./layout.ts";

/*
 * Batch normalization whose statistics span more than one array: micro-batches, the batches of other ranks, or only some positions of
 * an array. Each part gives count, mean and Σ (x − mean)²; these are merged pairwise stably (Chan, Golub & LeVeque 1983) in float64.
 */

/** One array of a joint batch, [N, C, …]. */
export interface JointPart {
  readonly x: Tensor;
  /** [N, …], bool: false where a position takes no part in the statistics */
  readonly mask: Tensor | null;
}

/** In float64: how many positions, [1]; their mean and Σ (x − mean)², [C]. */
interface Moments {
  readonly count: Tensor;
  readonly mean: Tensor;
  readonly m2: Tensor;
}

/** [N, …] as [N, 1, …], which broadcasts over the channels. */
function overChannels(mask: Tensor): Tensor {
  return reshape(mask, [mask.shape[0], 1, ...mask.shape.slice(1)]);
}

function momentsOf({ x, mask }: JointPart): Moments {
  const dtype = floatDType(x.dtype, "batch_norm");
  const { outer, channels, inner } = channelView(x);
  const double = (t: Tensor) => convert(t, "float64");
  const [mean, rest, m2] = Array.from({ length: 3 }, () => emptyTensor([channels], dtype));
  if (!mask) {
    const moments = [mean.pointer, rest.pointer, m2.pointer] as const;
    backend().momentsByChannel(dtype, ...moments, x.pointer, outer, channels, inner);
    return { count: filled([1], "float64", outer * inner), mean: add(double(mean), double(rest)), m2: double(m2) };
  }
  const counted = overChannels(mask);
  const sumCounted = (out: Tensor, t: Tensor) => {
    const rest = where(counted, t, 0);
    backend().sumByChannel(dtype, out.pointer, rest.pointer, outer, channels, inner);
    return double(out);
  };
  const count = reshape(double(sum(mask)), [1]);
  const average = div(sumCounted(mean, x), maximum(count, scalarTensor(1, "float64")));
  const rounded = convert(average, dtype);
  const unscaled = { mean: rounded, rest: null, invstd: filled([channels], dtype, 1) };
  const deviation = scaleAndShift(x, { weight: null, bias: null }, unscaled);
  return { count, mean: double(rounded), m2: sumCounted(m2, square(deviation)) };
}

function merge(parts: readonly Moments[]): Moments {
  if (parts.length === 1) return parts[0];
  const total = (items: readonly Tensor[]) => items.reduce((a, b) => add(a, b));
  const count = total(parts.map((part) => part.count));
  const weighted = parts.map((part) => mul(part.mean, part.count));
  const mean = div(total(weighted), maximum(count, scalarTensor(1, "float64")));
  const between = parts.map((part) => mul(square(sub(part.mean, mean)), part.count));
  return { count, mean, m2: add(total(parts.map((part) => part.m2)), total(between)) };
}

/** Over all ranks, in one call: count, mean and m2 in one vector. */
function mergeRanks({ count, mean, m2 }: Moments, collective: Collective): Moments {
  const c = mean.numel;
  const gathered = collective.allGather(cat([count, mean, m2]));
  return merge(
    gathered.map((all) => ({ count: narrow(all, 0, 0, 1), mean: narrow(all, 0, 1, c), m2: narrow(all, 0, 1 + c, c) })),
  );
}

/** running = (1 − momentum)·running + momentum·batch, unless fewer than two values were counted. */
function update({ mean, variance, momentum }: RunningStatistics, { count, mean: batch, m2 }: Moments): void {
  const enough = gt(count, 1);
  const blend = (running: Tensor, now: Tensor) => {
    const moved = add(mul(running, 1 - momentum), mul(convert(now, running.dtype), momentum));
    copy_(running, where(enough, moved, running.detach()));
  };
  blend(mean, batch);
  blend(variance, div(m2, sub(count, 1)));
}

/**
 * Batch normalization of several arrays by their joint statistics, over the ranks of a `collective` too. The arrays may differ in all but
 * the number of channels. Positions that a mask leaves out are normalized like the others, and do not count.
 */
export function batchNormJoint(
  parts: readonly JointPart[],
  affine: Affine,
  running: RunningStatistics | null,
  eps: number,
  collective: Collective | null = null,
): Tensor[] {
  const { weight, bias } = affine;
  const inputs = parts.map(({ x, mask }) => ({ x: byChannels(x), mask }));
  const dtype = floatDType(parts[0].x.dtype, "batch_norm");
  const [mean, rest, invstd, count] = noGrad(() =>
    tidy(() => {
      const local = merge(inputs.map(momentsOf));
      const moments = collective ? mergeRanks(local, collective) : local;
      if (running) update(running, moments);
      const atLeastOne = maximum(moments.count, scalarTensor(1, "float64"));
      const variance = convert(div(moments.m2, atLeastOne), dtype);
      const mean = convert(moments.mean, dtype);
      const rest = convert(sub(moments.mean, convert(mean, "float64")), dtype);
      return [mean, rest, exactInvstd(variance, eps), convert(atLeastOne, dtype)];
    }),
  );
  const statistics = { mean, rest, invstd };
  const outputs = inputs.map(({ x }) => scaleAndShift(x, affine, statistics));

  const again = (gradients: readonly (Tensor | null)[]) => {
    if (collective) {
      throw new AutogradError(
        "SyncBatchNorm cannot be differentiated twice across ranks",
        "use BatchNorm where gradients are differentiated again",
      );
    }
    const each = inputs.map(({ x, mask }, i) => ({
      x,
      g: gradients[i],
      positions: channelPositions(x),
      mask: mask && overChannels(mask),
    }));
    const found = differentiableGradients(each, affine, { count, eps, centred: true, flatIsZero: true });
    return [...found.x, found.weight, found.bias];
  };

  const compute = (gradients: readonly (Tensor | null)[], needs: readonly boolean[]) => {
    if (isGradEnabled()) return again(gradients);
    return tidy(() => {
      const upstream = gradients.map((g, i) => g && packedAs(g, inputs[i].x.strides));
      const found = inputs.map(({ x }, i) => {
        const g = upstream[i];
        return g && channelGradients(g, x, weight, statistics, false, { x: false, weight: true, bias: true });
      });
      const zero = filled(mean.shape, dtype, 0);
      const total = (name: "weight" | "bias") =>
        found.reduce((sum, each) => (each?.[name] ? add(sum, each[name]) : sum), zero);
      const [gWeight, gBias] = [total("weight"), total("bias")];
      const needsX = needs.slice(0, inputs.length);
      const gx = needsX.includes(true) ? inputGradients(upstream, gWeight, gBias, needsX) : [];
      return [...needsX.map((_, i) => gx[i] ?? null), weight && gWeight, bias && gBias];
    });
  };

  /** From Σ g and Σ g·x̂ of all parts and ranks: (g − Σg / count − x̂·Σg·x̂ / count)·invstd·weight; a position that did not count has no part in the sums' derivatives. */
  const inputGradients = (
    upstream: readonly (Tensor | null)[],
    gWeight: Tensor,
    gBias: Tensor,
    needsX: readonly boolean[],
  ): (Tensor | null)[] => {
    const c = mean.numel;
    const local = cat([gBias, gWeight]);
    const shares = div(collective ? collective.allReduce(local) : local, count);
    const k = mul(narrow(shares, 0, c, c), invstd);
    const gMean = sub(narrow(shares, 0, 0, c), mul(rest, k));
    const scale = weight ? packed(weight) : filled(mean.shape, dtype, 1);
    return inputs.map(({ x, mask }, i) => {
      if (!needsX[i]) return null;
      const gx = emptyAs(x);
      const g = upstream[i] ?? emptyAs(x);
      if (!upstream[i]) fillTensor(g, 0);
      const { outer, channels, inner } = channelView(x);
      const perChannel = [mean, invstd, scale, gMean, k].map((t) => t.pointer) as [
        number,
        number,
        number,
        number,
        number,
      ];
      backend().givenGradByChannel(dtype, gx.pointer, g.pointer, x.pointer, outer, channels, inner, ...perChannel);
      if (!mask) return gx;
      const direct = mul(g, reshape(mul(scale, invstd), channelPositions(x).affine));
      return where(overChannels(mask), gx, direct);
    });
  };

  const xs = inputs.map(({ x }) => x);
  const saved = [...xs, ...inputs.map(({ mask }) => mask), weight].filter((tensor) => tensor !== null);
  recordMany("JointBatchNormBackward0", outputs, [...xs, weight, bias], compute, saved, [mean, rest, invstd, count]);
  return outputs;
}
