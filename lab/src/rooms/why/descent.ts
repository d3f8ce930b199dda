import { F, manualSeed, nn, noGrad, optim, randn, type Tensor, tensor, tidy } from "evenkeel";

/** How many examples the two weights are fitted to, and how many steps are walked. */
export const EXAMPLES = 64;
export const STEPS = 40;

type Point = readonly [number, number];

export interface Descent {
  /** the weights before the first step and after each */
  readonly path: readonly Point[];
  /** how far each of them is from the lowest point, as a part of what it was at the start */
  readonly left: readonly number[];
  readonly valley: Valley;
}

/** The loss as a function of the two weights: a quadratic, whose contours are ellipses around its lowest point. */
export interface Valley {
  readonly lowest: Point;
  /** half the second derivative along each axis of the ellipse: across the valley, and along it */
  readonly steep: number;
  readonly flat: number;
  /** the direction of the steep axis, in degrees from that of the first weight */
  readonly angle: number;
}

export interface DescentSettings {
  /** how much larger the second feature is */
  readonly ratio: number;
  readonly lr: number;
  readonly start: Point;
  readonly normalized: boolean;
}

/** Fits y ≈ w₁x₁ + w₂x₂ by gradient descent, with the features as they are or through BatchNorm1d. */
export function descend({ ratio, lr, start, normalized }: DescentSettings): Descent {
  return tidy(() => {
    const [features, targets] = examples(ratio);
    const inputs = normalized ? new nn.BatchNorm1d(2, { affine: false }).forward(features) : features;
    const valley = valleyOf(inputs, targets);
    const layer = new nn.Linear(2, 1, { bias: false });
    noGrad(() => layer.weight.copy_(tensor([[...start]])));
    const optimizer = new optim.SGD(layer.parameters(), { lr });
    const path: Point[] = [start];
    for (let step = 0; step < STEPS; step++) {
      optimizer.zeroGrad();
      F.mseLoss(layer.forward(inputs), targets).backward();
      optimizer.step();
      const [a, b] = layer.weight.toTypedArray() as Float32Array;
      path.push([a, b]);
    }
    const distance = ([a, b]: Point) => Math.hypot(a - valley.lowest[0], b - valley.lowest[1]);
    const atStart = distance(start);
    return { path, left: path.map((point) => distance(point) / atStart), valley };
  });
}

/** Two features, the second `ratio` times the first, and what is to be predicted from them. */
function examples(ratio: number): [features: Tensor, targets: Tensor] {
  manualSeed(3);
  const even = randn([EXAMPLES, 2]);
  const targets = even.matmul(tensor([[1.2], [0.8]])).add(randn([EXAMPLES, 1]).mul(0.2));
  return [even.mul(tensor([1, ratio])), targets];
}

/** The mean squared error is wᵀAw − 2bᵀw + c with A = XᵀX / N and b = Xᵀy / N; the axes are A's eigenvectors. */
function valleyOf(inputs: Tensor, targets: Tensor): Valley {
  const [a, b, , d] = inputs.t().matmul(inputs).div(EXAMPLES).toTypedArray() as Float32Array;
  const [p, q] = inputs.t().matmul(targets).div(EXAMPLES).toTypedArray() as Float32Array;
  const determinant = a * d - b * b;
  const [middle, apart] = [(a + d) / 2, Math.hypot((a - d) / 2, b)];
  return {
    lowest: [(d * p - b * q) / determinant, (a * q - b * p) / determinant],
    steep: middle + apart,
    flat: middle - apart,
    angle: (Math.atan2(2 * b, a - d) / 2) * (180 / Math.PI),
  };
}

/** How far the loss lies above its lowest value. */
export function heightOver({ lowest, steep, flat, angle }: Valley, first: number, second: number): number {
  const [x, y] = [first - lowest[0], second - lowest[1]];
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  return steep * (x * cos + y * sin) ** 2 + flat * (y * cos - x * sin) ** 2;
}
