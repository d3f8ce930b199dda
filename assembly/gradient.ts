import { expF64, gaussF64, geluSigmoid, highF64, joinF32, lowF64, normalF64, ONE, splat64 } from "./math";
import { copyRest, REST } from "./scratch";

/*
 * Gradients of activations, from the upstream gradient g and the saved tensor s. Operations are classes without fields, as in
 * unary.ts; the products are in PyTorch's order.
 */

/** 1 / √(2π) */
const DENSITY = memory.data<f64>([0.3989422804014327]);
/** 2·√(2/π), and the factor of s² in u' */
const SLOPE = memory.data<f64>([1.5957691216057308]);
const CUBIC = memory.data<f64>([0.134145]);

class Wide<Op> {
  apply<T>(g: v128, s: v128, p: v128, q: v128): v128 {
    const op = changetype<Op>(0);
    const p2 = lowF64(p);
    const q2 = lowF64(q);
    return joinF32(op.apply<f64>(lowF64(g), lowF64(s), p2, q2), op.apply<f64>(highF64(g), highF64(s), p2, q2));
  }
}

class Relu {
  apply<T>(g: v128, s: v128, _p: v128, _q: v128): v128 {
    return v128.andnot(g, v128.le<T>(s, v128.splat<T>(0)));
  }
}
class Relu6 {
  apply<T>(g: v128, s: v128, _p: v128, _q: v128): v128 {
    return v128.andnot(g, v128.or(v128.le<T>(s, v128.splat<T>(0)), v128.ge<T>(s, v128.splat<T>(6))));
  }
}
class LeakyRelu {
  apply<T>(g: v128, s: v128, p: v128, _q: v128): v128 {
    return v128.bitselect(g, v128.mul<T>(g, p), v128.gt<T>(s, v128.splat<T>(0)));
  }
}
class Clamp {
  apply<T>(g: v128, s: v128, p: v128, q: v128): v128 {
    return v128.and(g, v128.and(v128.ge<T>(s, p), v128.le<T>(s, q)));
  }
}
class Sigmoid {
  apply<T>(g: v128, s: v128, _p: v128, _q: v128): v128 {
    return v128.mul<T>(v128.mul<T>(g, v128.sub<T>(v128.splat<T>(1), s)), s);
  }
}
class Tanh {
  apply<T>(g: v128, s: v128, _p: v128, _q: v128): v128 {
    return v128.mul<T>(g, v128.sub<T>(v128.splat<T>(1), v128.mul<T>(s, s)));
  }
}
class Silu {
  apply<T>(g: v128, s: v128, _p: v128, _q: v128): v128 {
    const one = splat64(ONE);
    const y = f64x2.div(one, f64x2.add(one, expF64(f64x2.neg(s))));
    return f64x2.mul(f64x2.mul(g, y), f64x2.add(one, f64x2.mul(s, f64x2.sub(one, y))));
  }
}
/** Φ(s) + s·φ(s) */
class Gelu {
  apply<T>(g: v128, s: v128, _p: v128, _q: v128): v128 {
    const gauss = gaussF64(s);
    const density = f64x2.mul(gauss, splat64(DENSITY));
    return f64x2.mul(g, f64x2.add(normalF64(s, gauss), f64x2.mul(s, density)));
  }
}
/** With y = 1 / (1 + e^−2u): y + s·y·(1 − y)·2u' */
class GeluTanh {
  apply<T>(g: v128, s: v128, _p: v128, _q: v128): v128 {
    const one = splat64(ONE);
    const y = geluSigmoid(s);
    const cubic = f64x2.add(f64x2.mul(f64x2.mul(s, s), splat64(CUBIC)), one);
    const slope = f64x2.mul(cubic, splat64(SLOPE));
    const change = f64x2.mul(f64x2.mul(s, y), f64x2.mul(f64x2.sub(one, y), slope));
    return f64x2.mul(g, f64x2.add(y, change));
  }
}
class Softplus {
  apply<T>(g: v128, s: v128, p: v128, q: v128): v128 {
    const one = splat64(ONE);
    const ps = f64x2.mul(s, p);
    const scaled = f64x2.div(g, f64x2.add(one, expF64(f64x2.neg(ps))));
    return v128.bitselect(g, scaled, f64x2.gt(ps, q));
  }
}

/** gx[i] = op(g[i], s[i]) over `vectors` vectors */
function map<Op, T>(gx: usize, g: usize, s: usize, vectors: usize, p: f64, q: f64): void {
  const op = changetype<Op>(0);
  const pv = v128.splat<T>(<T>p);
  const qv = v128.splat<T>(<T>q);
  for (const end = gx + (vectors << 4); gx < end; gx += 16, g += 16, s += 16) {
    v128.store(gx, op.apply<T>(v128.load(g), v128.load(s), pv, qv));
  }
}

/** The operations that float32 and float64 share. */
function common<T>(op: i32, gx: usize, g: usize, s: usize, vectors: usize, p: f64, q: f64): void {
  if (op === 0) map<Relu, T>(gx, g, s, vectors, p, q);
  if (op === 1) map<Relu6, T>(gx, g, s, vectors, p, q);
  if (op === 2) map<LeakyRelu, T>(gx, g, s, vectors, p, q);
  if (op === 3) map<Clamp, T>(gx, g, s, vectors, p, q);
  if (op === 4) map<Sigmoid, T>(gx, g, s, vectors, p, q);
  // 1 − s² cancels: float32 takes it in float64.
  if (op === 5 && sizeof<T>() === 4) map<Wide<Tanh>, T>(gx, g, s, vectors, p, q);
  else if (op === 5) map<Tanh, T>(gx, g, s, vectors, p, q);
}

/** The operations that only float32 has. */
function onlyF32(op: i32, gx: usize, g: usize, s: usize, vectors: usize, p: f64, q: f64): void {
  if (op === 6) map<Wide<Silu>, f32>(gx, g, s, vectors, p, q);
  if (op === 7) map<Wide<Gelu>, f32>(gx, g, s, vectors, p, q);
  if (op === 8) map<Wide<GeluTanh>, f32>(gx, g, s, vectors, p, q);
  if (op === 9) map<Wide<Softplus>, f32>(gx, g, s, vectors, p, q);
}

/** gx[i] = g[i]·f'(s[i]); the operations' numbers are in src/kernels/wasm/unary.ts */
export function unaryGrad<T>(op: i32, gx: usize, g: usize, s: usize, n: usize, p: f64, q: f64, scratch: usize): void {
  const vectors = (n * sizeof<T>()) >> 4;
  const rest = (n * sizeof<T>()) & 15;
  if (sizeof<T>() === 4 && op > 5) onlyF32(op, gx, g, s, vectors, p, q);
  else common<T>(op, gx, g, s, vectors, p, q);
  if (rest === 0) return;
  const restG = scratch + REST;
  const restS = restG + 16;
  copyRest(restG, g + (vectors << 4), rest);
  copyRest(restS, s + (vectors << 4), rest);
  if (sizeof<T>() === 4 && op > 5) onlyF32(op, restG, restG, restS, 1, p, q);
  else common<T>(op, restG, restG, restS, 1, p, q);
  copyRest(gx + (vectors << 4), restG, rest);
}
