import { noGrad } from "../../autograd/mode.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { add, div, mul, neg, sub } from "../arithmetic.ts";
import { eq, where } from "../compare.ts";
import { rsqrt, square } from "../pointwise.ts";
import { reduceToShape } from "../reduce-to-shape.ts";
import { sum } from "../reduction.ts";
import { reshape } from "../views.ts";
import type { Affine, Positions } from "./layout.ts";

/*
 * The gradients of a normalization in elementary operations, so that they can themselves be differentiated: what backward computes
 * while its own history is recorded. The kernels compute the same in fewer passes.
 */

/** One input, and the gradient that reached its output. */
export interface Part {
  readonly x: Tensor;
  readonly g: Tensor | null;
  readonly positions: Positions;
  /** false where a position takes no part in the moments; broadcasts with the view */
  readonly mask?: Tensor | null;
}

/** Moments that are taken from the inputs themselves, joint over all parts. */
interface OwnMoments {
  /** positions that share a mean */
  readonly count: number | Tensor;
  readonly eps: number;
  /** false: no mean is subtracted (RMS norm) */
  readonly centred: boolean;
  /** no variance and no eps give 0, not NaN (batch norm) */
  readonly flatIsZero: boolean;
  /** sums over the other ranks that share the moments, with a history */
  readonly across?: ((sum: Tensor) => Tensor) | null;
}

/** Statistics that are given, [C]. */
interface FixedMoments {
  readonly mean: Tensor;
  readonly invstd: Tensor;
}

export interface Gradients {
  /** of each part's x */
  readonly x: Tensor[];
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
}

/** What is not null. */
export const present = <T>(items: readonly (T | null)[]) => items.filter((item): item is T => item !== null);
const total = (items: readonly Tensor[]) => items.reduce((a, b) => add(a, b));

function inverseRoot(variance: Tensor, { eps, flatIsZero }: OwnMoments): Tensor {
  if (!flatIsZero || eps !== 0) return rsqrt(add(variance, eps));
  const flat = eq(variance, 0);
  return where(flat, 0, rsqrt(where(flat, 1, variance)));
}

/** Normalized inputs, in their views, and the gradients of x, from those of the normalized values. */
function byOwnMoments(parts: readonly Part[], h: readonly (Tensor | null)[], moments: OwnMoments) {
  const { count, centred, across } = moments;
  const counted = (x: Tensor, i: number) => {
    const { mask } = parts[i];
    return mask ? where(mask, x, 0) : x;
  };
  const average = (items: readonly (Tensor | null)[]) => {
    const own = total(present(items.map((x, i) => x && sum(x, parts[i].positions.dims, { keepdim: true }))));
    return div(across ? across(own) : own, count);
  };
  const seen = parts.map(({ x, positions }) => reshape(x, positions.view));
  const mean = centred ? average(seen.map(counted)) : null;
  const near = mean ? seen.map((x) => sub(x, mean)) : seen;
  // What rounding the mean lost is a constant, and shows in the average of the deviations; not worth another exchange between ranks.
  const rest = centred && !across ? noGrad(() => average(near.map(counted))) : null;
  const deviations = rest ? near.map((x) => sub(x, rest)) : near;
  const invstd = inverseRoot(average(deviations.map(square).map(counted)), moments);
  const normalized = deviations.map((x) => mul(x, invstd));
  const slope = average(h.map((each, i) => each && mul(each, normalized[i])));
  const level = centred ? average(h) : null;
  const x = parts.map((_, i) => {
    const shared = mul(normalized[i], slope);
    const correction = counted(level ? add(shared, level) : shared, i);
    const each = h[i];
    return mul(each ? sub(each, correction) : neg(correction), invstd);
  });
  return { normalized, x };
}

function byFixedMoments(parts: readonly Part[], h: readonly (Tensor | null)[], { mean, invstd }: FixedMoments) {
  const scale = reshape(invstd, parts[0].positions.affine);
  const normalized = parts.map(({ x, positions }) => mul(sub(x, reshape(mean, positions.affine)), scale));
  return { normalized, x: h.map((each, i) => mul(each ?? mul(parts[i].x, 0), scale)) };
}

/**
 * Gradients of y = (x − mean)·invstd·weight + bias. With own moments, h = g·weight and x̂ the normalized x:
 * gx = (h − E[h] − x̂·E[h·x̂])·invstd, where the last two terms reach only what took part in the moments.
 */
export function differentiableGradients(
  parts: readonly Part[],
  { weight, bias }: Affine,
  moments: OwnMoments | FixedMoments,
): Gradients {
  const h = parts.map(({ g, positions: { view, affine } }) => {
    if (!g) return null;
    return reshape(weight ? mul(g, reshape(weight, affine)) : g, view);
  });
  const { normalized, x } = "invstd" in moments ? byFixedMoments(parts, h, moments) : byOwnMoments(parts, h, moments);
  const sumOver = (like: Tensor, terms: readonly (Tensor | null)[]) =>
    reshape(total(present(terms.map((term, i) => term && reduceToShape(term, parts[i].positions.affine)))), like.shape);
  const gWeight = () => parts.map(({ g }, i) => g && mul(g, reshape(normalized[i], g.shape)));
  return {
    x: x.map((gx, i) => reshape(gx, parts[i].x.shape)),
    weight: weight && sumOver(weight, gWeight()),
    bias:
      bias &&
      sumOver(
        bias,
        parts.map(({ g }) => g),
      ),
  };
}
