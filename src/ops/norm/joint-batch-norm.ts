import { isGradEnabled, noGrad } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import { recordMany } from "../../autograd/record-many.ts";
import { backend } from "../../kernels/registry.ts";
import { fillTensor } from "../../tensor/convert.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { emptyAs, emptyTensor, packed, packedAs, type Tensor } from "../../tensor/tensor.ts";
import { tidy } from "../../tensor/tidy.ts";
import { add, div, mul } from "../arithmetic.ts";
import { maximum } from "../binary.ts";
import { where } from "../compare.ts";
import { filled, scalarTensor } from "../compute.ts";
import { convert } from "../convert.ts";
import { copy_ } from "../inplace.ts";
import { cat } from "../join.ts";
import { square } from "../pointwise.ts";
import { sum } from "../reduction.ts";
import { narrow } from "../slicing.ts";
import { reshape } from "../views.ts";
import { NO_TAIL, type RunningStatistics, scaleAndShift } from "./batch-norm.ts";
import type { Collective } from "./collective.ts";
import { differentiableGradients } from "./differentiable.ts";
import { type Affine, byChannels, channelPositions, channelView } from "./layout.ts";
import { differentiableTailGrad, readByTail, type Tail, type TailSlope, tailSlope } from "./tail.ts";

/*
 * Batch normalization whose statistics span more than one array: micro-batches, the batches of other ranks, or only some positions of
 * an array. Each part gives count, mean and Σ (x − mean)², a row of float64; these are merged (Chan, Golub & LeVeque 1983).
 */

/** One array of a joint batch, [N, C, …]. */
export interface JointPart {
  readonly x: Tensor;
  /** [N, …], bool: false where a position takes no part in the statistics */
  readonly mask: Tensor | null;
}

/** [N, …] as [N, 1, …], which broadcasts over the channels. */
function overChannels(mask: Tensor): Tensor {
  return reshape(mask, [mask.shape[0], 1, ...mask.shape.slice(1)]);
}

/** Writes a part's row of 1 + 2·C float64. */
function writeMoments(row: Tensor, { x, mask }: JointPart): void {
  const dtype = floatDType(x.dtype, "batch_norm");
  const { outer, channels, inner } = channelView(x);
  if (!mask) {
    backend().partMoments(dtype, row.pointer, x.pointer, outer, channels, inner);
    return;
  }
  const [mean, m2] = [emptyTensor([channels], dtype), emptyTensor([channels], dtype)];
  const double = (t: Tensor) => convert(t, "float64");
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
  copy_(row, cat([count, double(rounded), sumCounted(m2, square(deviation))]));
}

/** One row from several; they may lie one behind the other already. */
function merge(rows: Tensor, parts: number): Tensor {
  const channels = (rows.numel / parts - 1) / 2;
  if (parts > 1) backend().mergeMoments(rows.pointer, rows.pointer, parts, channels);
  return narrow(reshape(rows, [-1]), 0, 0, 1 + 2 * channels);
}

/** The moments of all parts, on all ranks: one call of the collective. */
function jointMoments(parts: readonly JointPart[], collective: Collective | null): Tensor {
  const length = 1 + 2 * parts[0].x.shape[1];
  const rows = emptyTensor([parts.length * length], "float64");
  parts.forEach((part, i) => {
    writeMoments(parts.length === 1 ? rows : narrow(rows, 0, i * length, length), part);
  });
  const local = merge(rows, parts.length);
  return collective ? merge(cat(collective.allGather(local)), collective.worldSize) : local;
}

/** The sum over all ranks, with a history: each rank's output depends on every rank's input. */
function sumOverRanks(x: Tensor, collective: Collective): Tensor {
  return record("AllReduceBackward0", collective.allReduce(x), [x], (g) => [sumOverRanks(g, collective)]);
}

/**
 * Batch normalization of several arrays by their joint statistics, over the ranks of a `collective` too. The arrays may differ in all but
 * the number of channels. Positions that a mask leaves out are normalized like the others, and do not count. A tail is for a single array.
 */
export function batchNormJoint(
  parts: readonly JointPart[],
  affine: Affine,
  running: RunningStatistics | null,
  eps: number,
  collective: Collective | null = null,
  tail: Tail = NO_TAIL,
): Tensor[] {
  const { weight, bias } = affine;
  const { residual, activation } = tail;
  const inputs = parts.map(({ x, mask }) => ({ x: byChannels(x), mask }));
  const dtype = floatDType(parts[0].x.dtype, "batch_norm");
  const channels = parts[0].x.shape[1];
  const row = noGrad(() => tidy(() => jointMoments(inputs, collective)));
  const [mean, rest, invstd] = Array.from({ length: 3 }, () => emptyTensor([channels], dtype));
  backend().finishMergedMoments(
    dtype,
    mean.pointer,
    rest.pointer,
    invstd.pointer,
    running?.mean.pointer ?? 0,
    running?.variance.pointer ?? 0,
    row.pointer,
    channels,
    eps,
    running?.momentum ?? 0,
  );
  if (running) {
    running.mean.storage.version++;
    running.variance.storage.version++;
  }
  const statistics = { mean, rest, invstd };
  const outputs = inputs.map(({ x }) => scaleAndShift(x, affine, statistics, tail));

  const again = (gradients: readonly (Tensor | null)[]) => {
    const before = gradients.map((g) => {
      if (!g || !activation) return g;
      return differentiableTailGrad(g, tail, batchNormJoint(parts, affine, null, eps, collective)[0]);
    });
    const each = inputs.map(({ x, mask }, i) => ({
      x,
      g: before[i],
      positions: channelPositions(x),
      mask: mask && overChannels(mask),
    }));
    const count = maximum(convert(narrow(row, 0, 0, 1), dtype), scalarTensor(1, dtype));
    const across = collective && ((x: Tensor) => sumOverRanks(x, collective));
    const found = differentiableGradients(each, affine, { count, eps, centred: true, flatIsZero: true, across });
    return [...found.x, found.weight, found.bias, before[0]];
  };

  const compute = (gradients: readonly (Tensor | null)[], needs: readonly boolean[]) => {
    if (isGradEnabled()) return again(gradients);
    return tidy(() => {
      const upstream = gradients.map((g, i) => g && packedAs(g, inputs[i].x.strides));
      const found = inputs.map(({ x }, i) => {
        const g = upstream[i];
        if (!g) return null;
        const slope = tailSlope(tail, outputs[i], () =>
          scaleAndShift(x, affine, statistics, { residual, activation: null }),
        );
        return gradSums(g, x, slope, needs[inputs.length + 2]);
      });
      const total = (name: "weight" | "bias") => {
        const each = found.flatMap((part) => part?.[name] ?? []);
        return each.length > 0 ? each.reduce((a, b) => add(a, b)) : filled(mean.shape, dtype, 0);
      };
      const [gWeight, gBias] = [total("weight"), total("bias")];
      const needsX = needs.slice(0, inputs.length);
      const gx = needsX.includes(true) ? inputGradients(upstream, found, gWeight, gBias, needsX) : [];
      const gResidual = residual && (found[0]?.before ?? upstream[0]);
      return [...needsX.map((_, i) => gx[i] ?? null), weight && gWeight, bias && gBias, gResidual];
    });
  };

  /**
   * Σ g·x̂ and Σ g of a part, where g is what came through the tail: `before`, in memory of its own if it is the residual's gradient too; behind ReLU it is found again instead
   * where nobody else wants it, which reads the output once more and writes nothing.
   */
  const gradSums = (g: Tensor, x: Tensor, slope: TailSlope | null, wantsBefore: boolean) => {
    const { outer, channels, inner } = channelView(x);
    const again = slope?.op === "relu" && inner > 1 && !wantsBefore;
    const [gWeight, gBias] = [emptyTensor([channels], dtype), emptyTensor([channels], dtype)];
    const before = slope && !again ? emptyAs(x) : null;
    backend().gradSumsByChannel(
      dtype,
      gWeight.pointer,
      gBias.pointer,
      g.pointer,
      x.pointer,
      outer,
      channels,
      inner,
      mean.pointer,
      rest.pointer,
      invstd.pointer,
      slope
        ? { activation: slope.op, p: slope.p, source: slope.source.pointer, before: before?.pointer ?? 0 }
        : undefined,
    );
    return { weight: gWeight, bias: gBias, before, relu: again ? slope.source : null, inPlace: !wantsBefore };
  };

  /** From Σ g and Σ g·x̂ of all parts and ranks: (g − Σg / count − x̂·Σg·x̂ / count)·invstd·weight; a position that did not count has no part in the sums' derivatives. */
  const inputGradients = (
    upstream: readonly (Tensor | null)[],
    found: readonly (ReturnType<typeof gradSums> | null)[],
    gWeight: Tensor,
    gBias: Tensor,
    needsX: readonly boolean[],
  ): (Tensor | null)[] => {
    const local = cat([gBias, gWeight]);
    const sums = collective ? collective.allReduce(local) : local;
    const [gMean, k] = [emptyTensor([channels], dtype), emptyTensor([channels], dtype)];
    backend().shareGradSums(
      dtype,
      gMean.pointer,
      k.pointer,
      sums.pointer,
      row.pointer,
      rest.pointer,
      invstd.pointer,
      channels,
    );
    const scale = weight ? packed(weight) : filled(mean.shape, dtype, 1);
    return inputs.map(({ x, mask }, i) => {
      if (!needsX[i]) return null;
      const { before = null, relu = null, inPlace = false } = found[i] ?? {};
      const g = before ?? upstream[i] ?? emptyAs(x);
      if (!upstream[i]) fillTensor(g, 0);
      const gx = before && inPlace ? before : emptyAs(x);
      const { outer, channels, inner } = channelView(x);
      const perChannel = [mean, invstd, scale, gMean, k].map((t) => t.pointer) as [
        number,
        number,
        number,
        number,
        number,
      ];
      const through = relu?.pointer ?? 0;
      backend().givenGradByChannel(
        dtype,
        gx.pointer,
        g.pointer,
        x.pointer,
        outer,
        channels,
        inner,
        ...perChannel,
        through,
      );
      if (!mask) return gx;
      const direct = mul(g, reshape(mul(scale, invstd), channelPositions(x).affine));
      return where(overChannels(mask), gx, direct);
    });
  };

  const xs = inputs.map(({ x }) => x);
  const read = readByTail(tail);
  const tailReads = read === "output" ? outputs : read === "input" ? [bias, residual] : [];
  const saved = [...xs, ...inputs.map(({ mask }) => mask), weight, ...tailReads].filter((tensor) => tensor !== null);
  recordMany("JointBatchNormBackward0", outputs, [...xs, weight, bias, residual], compute, saved, [
    row,
    mean,
    rest,
    invstd,
  ]);
  return outputs;
}
