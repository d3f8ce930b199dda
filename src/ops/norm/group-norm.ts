import { isGradEnabled, noGrad } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { numelOf } from "../../tensor/shape.ts";
import { packedAs, type Tensor } from "../../tensor/tensor.ts";
import { tidy } from "../../tensor/tidy.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { convert } from "../convert.ts";
import { rsqrt, square } from "../pointwise.ts";
import { sum } from "../reduction.ts";
import { contiguous, expand, reshape } from "../views.ts";
import { type ChannelStatistics, channelGradients, channelMoments, scaleAndShift } from "./batch-norm.ts";
import { differentiableGradients } from "./differentiable.ts";
import { type Affine, byChannels, imageView, perChannel, repeat } from "./layout.ts";
import { rowNorm } from "./row-norm.ts";

const NAME = "NativeGroupNormBackward0";

/** Group normalization of [N, C, …] over groups of C / groups channels with all their positions; weight and bias are [C]. The result lies as x. */
export function groupNorm(x: Tensor, groups: number, affine: Affine, eps: number): Tensor {
  const input = byChannels(x);
  if (!input.isContiguous) return byImages(input, groups, affine, eps);
  const [n, c] = x.shape;
  const shape = { rows: n * groups, groups, channels: c / groups, inner: numelOf(x.shape.slice(2)) };
  return rowNorm(input, affine, eps, { name: NAME, shape, affine: perChannel(x.shape), centred: true });
}

/** Of channels-last x, where a group's values lie scattered: every image by its channels' moments, merged to those of the groups (Chan, Golub & LeVeque 1983). */
function byImages(x: Tensor, groups: number, { weight, bias }: Affine, eps: number): Tensor {
  const view = imageView(x);
  const { images, outer, channels } = view;
  const length = (channels / groups) * outer;
  const grouped = (t: Tensor) => reshape(t, [images, groups, channels / groups]);
  const groupSum = (t: Tensor) => sum(t, [2], { keepdim: true });
  const perChannelOf = (t: Tensor) => reshape(contiguous(expand(t, [images, groups, channels / groups])), [-1]);

  const groupStatistics = (): ChannelStatistics => {
    const { mean, rest, m2 } = channelMoments(x, view);
    const double = (t: Tensor) => grouped(convert(t, "float64"));
    const means = add(double(mean), double(rest));
    const average = div(groupSum(means), channels / groups);
    const between = mul(square(sub(means, average)), outer);
    const variance = div(groupSum(add(double(m2), between)), length);
    const rounded = convert(average, x.dtype);
    const lost = convert(sub(average, convert(rounded, "float64")), x.dtype);
    const invstd = convert(rsqrt(add(variance, eps)), x.dtype);
    return { mean: perChannelOf(rounded), rest: perChannelOf(lost), invstd: perChannelOf(invstd) };
  };
  const repeated = (t: Tensor | null) => t && repeat(t, images);
  const [y, mean, rest, invstd] = noGrad(() =>
    tidy(() => {
      const statistics = groupStatistics();
      const y = scaleAndShift(x, { weight: repeated(weight), bias: repeated(bias) }, statistics, undefined, view);
      return [y, statistics.mean, statistics.rest as Tensor, statistics.invstd];
    }),
  );

  const gradients = (g: Tensor, [needsX]: readonly boolean[]) => {
    const scale = repeated(weight);
    const statistics = { mean, rest, invstd };
    const needs = { x: needsX, weight: true, bias: true };
    // as if the statistics were given, and the sums of g and g·x̂ of every image and channel
    const direct = channelGradients(packedAs(g, x.strides), x, scale, statistics, false, needs, null, view);
    const [gx, products, sums] = [direct.x, direct.weight as Tensor, direct.bias as Tensor];
    const overImages = (t: Tensor) => sum(reshape(t, [images, channels]), [0]);
    const share = (t: Tensor) => mul(perChannelOf(div(groupSum(grouped(scale ? mul(t, scale) : t)), length)), invstd);
    if (gx) {
      const throughMoments = scaleAndShift(
        x,
        { weight: share(products), bias: share(sums) },
        statistics,
        undefined,
        view,
      );
      backend().axpy(floatDType(x.dtype, NAME), gx.pointer, throughMoments.pointer, x.numel, -1);
    }
    return [gx, weight && overImages(products), bias && overImages(sums)];
  };

  return record(
    NAME,
    y,
    [x, weight, bias],
    (g, needs) => {
      if (!isGradEnabled()) return tidy(() => gradients(g, needs));
      const positions = { view: [images * groups, length], dims: [1], affine: perChannel(x.shape) };
      const moments = { count: length, eps, centred: true, flatIsZero: false };
      const found = differentiableGradients([{ x, g, positions }], { weight, bias }, moments);
      return [found.x[0], found.weight, found.bias];
    },
    weight ? [x, weight] : [x],
    [mean, rest, invstd],
    { eps, groups, normalized: 1 },
  );
}
