/** What a step of ResNet-20 for [batch, 3, 32, 32] must compute and move, from its shapes. */

/** [width, size of an image] of the stages, of three blocks each. */
const STAGES = [
  [16, 32],
  [32, 16],
  [64, 8],
];

/** Its convolutions: channels in and out, the output's size, and whether the input needs a gradient. */
export function convolutions() {
  const list = [{ from: 3, to: 16, size: 32, kernel: 3, stride: 1, inputGrad: false }];
  const add = (from, to, size, kernel, stride) => list.push({ from, to, size, kernel, stride, inputGrad: true });
  let from = 16;
  for (const [width, size] of STAGES) {
    for (let block = 0; block < 3; block++) {
      const stride = from === width ? 1 : 2;
      add(from, width, size, 3, stride);
      add(width, width, size, 3, 1);
      if (stride === 2) add(from, width, size, 1, 2);
      from = width;
    }
  }
  return list;
}

/** Multiplications that Winograd's algorithm leaves for 4×4 outputs of a pair of channels, by the stride: F(4×4, 3×3), and the same of the four phases of stride 2. A plain sum has 144. */
const PRODUCTS = { 1: 36, 2: 81 };

/** Operations of the convolutions of a step, 2 for a multiply-add: the products that Winograd's algorithm leaves of those of 3×3, by the stride, and all of those of 1×1. */
export function operations(batch) {
  const flops = { stride1: 0, stride2: 0, pointwise: 0 };
  for (const { from, to, size, kernel, stride, inputGrad } of convolutions()) {
    const passes = inputGrad ? 3 : 2;
    const pairs = passes * 2 * batch * from * to;
    if (kernel === 1) flops.pointwise += pairs * size ** 2;
    else flops[`stride${stride}`] += pairs * Math.ceil(size / 4) ** 2 * PRODUCTS[stride];
  }
  return flops;
}

/**
 * What its batch norms, additions and activations must read and write in a step, as `move` takes it: the input, the shortcut's value and the output of each; on the way back the output's gradient, the
 * output (whose zeros tell ReLU's slope), the input and its gradient, which is written over the output's, and the shortcut's gradient. Inputs and outputs of all layers are kept from the one way to the other; gradients take turns in four.
 */
export function normTraffic(batch) {
  const tensors = {};
  const layers = [];
  const add = (width, size, kind) => {
    const [x, y] = [`x${layers.length}`, `y${layers.length}`];
    tensors[x] = tensors[y] = 4 * batch * width * size ** 2;
    layers.push({ x, y, kind });
  };
  add(16, 32, "relu");
  let before = 16;
  for (const [width, size] of STAGES) {
    for (let block = 0; block < 3; block++) {
      add(width, size, "relu");
      if (before !== width) add(width, size, "shortcut");
      add(width, size, "residual");
      before = width;
    }
  }
  for (const name of ["g0", "g1", "g2", "g3"]) tensors[name] = tensors.x0;
  // The value that is added is the shortcut's where there is one, else the block's input.
  const added = (i) => layers[layers[i - 1].kind === "shortcut" ? i - 1 : i - 2].y;
  const forward = layers.map(({ x, y, kind }, i) => ({ from: kind === "residual" ? [x, added(i)] : [x], to: [y] }));
  const backward = layers.map(({ x, y, kind }, i) => {
    const [g, other] = [0, 1].map((k) => `g${(i + k) % 4}`);
    const bytes = tensors[x];
    if (kind === "shortcut") return { from: [g, x], to: [g], bytes };
    return { from: [g, y, x], to: kind === "residual" ? [g, other] : [g], bytes };
  });
  return { tensors, passes: [...forward, ...backward.reverse()] };
}

/** Bytes that passes read and write. */
export function bytesMoved({ tensors, passes }) {
  return passes.reduce((sum, { from, to, bytes }) => sum + (from.length + to.length) * (bytes ?? tensors[to[0]]), 0);
}
