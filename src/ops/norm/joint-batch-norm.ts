import { isGradEnabled, noGrad } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import { recordMany } from "../../autograd/record-many.ts";
import { backend } from "../../kernels/registry.ts";
import { fillTensor } from "../../tensor/convert.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { aliasOf, detachedCopy, emptyAs, emptyTensor, packed, packedAs, type Tensor } from "../../tensor/tensor.ts";
import { tidy } from "../../tensor/tidy.ts";
import { div, mul } from "../arithmetic.ts";
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
import { differentiableTailGrad, readByTail, type Tail, tailSlope } from "./tail.ts";

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

/** Rows one behind the other: as they lie, where they do. */
function sideBySide(rows: readonly Tensor[]): Tensor {
  const [first] = rows;
  const inOrder = rows.every(({ storage, storageOffset: at }, i) => {
    return storage === first.storage && at === first.storageOffset + i * first.numel;
  });
  return inOrder ? first : cat(rows);
}

/** The moments of all parts, on all ranks, a row: one exchange. */
function jointMoments(parts: readonly JointPart[], collective: Collective | null): Tensor {
  const channels = parts[0].x.shape[1];
  const length = 1 + 2 * channels;
  const rows = emptyTensor([parts.length * length], "float64");
  const row = aliasOf(rows, [length], [1]);
  parts.forEach((part, i) => {
    const own = aliasOf(rows, [length], [1], i * length);
    if (part.mask) tidy(() => writeMoments(own, part));
    else writeMoments(own, part);
  });
  if (parts.length > 1) backend().mergeMoments(rows.pointer, rows.pointer, parts.length, channels);
  if (!collective) return row;
  const all = sideBySide(collective.allGather(row));
  backend().mergeMoments(all.pointer, all.pointer, collective.worldSize, channels);
  rows.storage.release();
  return aliasOf(all, [length], [1]);
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
  const row = noGrad(() => jointMoments(inputs, collective));
  // small tensors in one piece of memory: each piece costs as much as a small kernel
  const three = emptyTensor([3 * channels], dtype);
  const [mean, rest, invstd] = [0, 1, 2].map((i) => aliasOf(three, [channels], [1], i * channels));
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
    const upstream = gradients.map((g, i) => g && packedAs(g, inputs[i].x.strides));
    const wantsBefore = needs[inputs.length + 2];
    const found = upstream.map((g, i) => g && gradSums(i, g, wantsBefore));
    const [sums = filled([2 * channels], dtype, 0), ...others] = found.flatMap((part) => part?.sums ?? []);
    for (const other of others) {
      backend().axpy(dtype, sums.pointer, other.pointer, 2 * channels, 1);
      other.storage.release();
    }
    const needsX = needs.slice(0, inputs.length);
    const shares = needsX.includes(true) ? sharesOf(sums) : null;
    const gx = inputs.map((_, i) => (shares && needsX[i] ? inputGradient(i, upstream[i], found[i], shares) : null));
    shares?.storage.release();
    const gResidual = wantsBefore ? (found[0]?.before ?? upstream[0]) : null;
    const own = [...found.map((part) => part?.before), ...upstream.filter((g, i) => g !== gradients[i])];
    for (const each of own) if (each && each !== gResidual && !gx.includes(each)) each.storage.release();
    // each in memory of its own, which the engine gives back when it has added it to another
    const gWeight = weight && detachedCopy(aliasOf(sums, [channels], [1], channels));
    return [...gx, gWeight, bias && aliasOf(sums, [channels], [1]), gResidual];
  };

  /**
   * Σ g and Σ g·x̂ of a part, [2·C], where g is what came through the tail: `before`, in memory of its own if it is the residual's gradient too; behind ReLU it is found again instead
   * where nobody else wants it, which reads the output (`relu`) once more and writes nothing.
   */
  const gradSums = (part: number, g: Tensor, wantsBefore: boolean) => {
    const { x } = inputs[part];
    const output = outputs[part];
    const { outer, channels, inner } = channelView(x);
    const slope = tailSlope(tail, output, () => scaleAndShift(x, affine, statistics, { residual, activation: null }));
    const twice = slope?.op === "relu" && inner > 1 && !wantsBefore;
    const sums = emptyTensor([2 * channels], dtype);
    const before = slope && !twice ? emptyAs(x) : null;
    backend().gradSumsByChannel(
      dtype,
      sums.pointer + sums.nbytes / 2,
      sums.pointer,
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
    if (slope && slope.source !== output) slope.source.storage.release();
    return { sums, before, relu: twice ? output : null, inPlace: !wantsBefore };
  };

  /** What every position's gradient loses, [2·C], from the sums of all ranks. */
  const sharesOf = (sums: Tensor): Tensor => {
    const shares = collective ? collective.allReduce(sums) : detachedCopy(sums);
    const { pointer } = shares;
    const k = pointer + sums.nbytes / 2;
    backend().shareGradSums(dtype, pointer, k, pointer, row.pointer, rest.pointer, invstd.pointer, channels);
    return shares;
  };

  /** From Σ g and Σ g·x̂ of all parts and ranks: (g − Σg / count − x̂·Σg·x̂ / count)·invstd·weight; a position that did not count has no part in the sums' derivatives. */
  const inputGradient = (
    part: number,
    upstream: Tensor | null,
    found: ReturnType<typeof gradSums> | null,
    shares: Tensor,
  ): Tensor => {
    const { x, mask } = inputs[part];
    const { before = null, relu = null, inPlace = false } = found ?? {};
    const zeros = upstream ? null : emptyAs(x);
    if (zeros) fillTensor(zeros, 0);
    const g = before ?? upstream ?? (zeros as Tensor);
    const gx = before && inPlace ? before : emptyAs(x);
    const scale = weight ? packed(weight) : filled([channels], dtype, 1);
    const { outer, inner } = channelView(x);
    backend().givenGradByChannel(
      dtype,
      gx.pointer,
      g.pointer,
      x.pointer,
      outer,
      channels,
      inner,
      mean.pointer,
      invstd.pointer,
      scale.pointer,
      shares.pointer,
      shares.pointer + shares.nbytes / 2,
      relu?.pointer ?? 0,
    );
    const counted =
      mask &&
      tidy(() => {
        const direct = mul(g, reshape(mul(scale, invstd), channelPositions(x).affine));
        return where(overChannels(mask), gx, direct);
      });
    for (const each of [zeros, scale !== weight ? scale : null, counted ? gx : null]) each?.storage.release();
    return counted ?? gx;
  };

  const xs = inputs.map(({ x }) => x);
  const read = readByTail(tail);
  const tailReads = read === "output" ? outputs : read === "input" ? [bias, residual] : [];
  const saved = [...xs, ...inputs.map(({ mask }) => mask), weight, ...tailReads].filter((tensor) => tensor !== null);
  recordMany("JointBatchNormBackward0", outputs, [...xs, weight, bias, residual], compute, saved, [row, three]);
  return outputs;
}
