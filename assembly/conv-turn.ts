/* What convolutions of small images share: pixels, channels and columns in another order. */

/** Four vectors of float32 the other way round: `to` is written in steps of toStep bytes, `from` read in steps of fromStep. */
export function turn(to: usize, toStep: usize, from: usize, fromStep: usize): void {
  const x0 = v128.load(from);
  const x1 = v128.load(from + fromStep);
  const x2 = v128.load(from + 2 * fromStep);
  const x3 = v128.load(from + 3 * fromStep);
  const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f64>(low01, low23, 0, 2));
  v128.store(to + toStep, v128.shuffle<f64>(low01, low23, 1, 3));
  v128.store(to + 2 * toStep, v128.shuffle<f64>(high01, high23, 0, 2));
  v128.store(to + 3 * toStep, v128.shuffle<f64>(high01, high23, 1, 3));
}

/** Four rows of `count` float32, `row` bytes apart, the other way round: `to` is written in steps of toStep bytes, four side by side. */
export function turnRows(to: usize, toStep: usize, from: usize, row: usize, count: usize): void {
  for (; count >= 4; count -= 4) {
    turn(to, toStep, from, row);
    to += 4 * toStep;
    from += 16;
  }
  for (; count > 0; count--) {
    store<f32>(to, load<f32>(from));
    store<f32>(to, load<f32>(from + row), 4);
    store<f32>(to, load<f32>(from + 2 * row), 8);
    store<f32>(to, load<f32>(from + 3 * row), 12);
    to += toStep;
    from += 4;
  }
}

/** Every second input of a row: those from x on go to `even`, those between to `odd`. */
export function splitRow(even: usize, odd: usize, x: usize, count: usize): void {
  const pairs = count & ~7;
  for (let i: usize = 0; i < pairs; i += 8) {
    const v = v128.load(x);
    const w = v128.load(x, 16);
    v128.store(even, v128.shuffle<f32>(v, w, 0, 2, 4, 6));
    v128.store(odd, v128.shuffle<f32>(v, w, 1, 3, 5, 7));
    x += 32;
    even += 16;
    odd += 16;
  }
  for (let i = pairs; i < count; i++) {
    store<f32>(i & 1 ? odd : even, load<f32>(x));
    if (i & 1) odd += 4;
    else even += 4;
    x += 4;
  }
}
