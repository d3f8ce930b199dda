import {
  erfF64,
  exp,
  expF64,
  expm1F64,
  gaussF64,
  geluSigmoid,
  highF64,
  joinF32,
  LOG2E,
  log1pF64,
  logF64,
  lowF64,
  normalF64,
  ONE,
  sigmoid,
  splat64,
  tanhF64,
} from "./math";
import { copyRest, REST } from "./scratch";

/*
 * An operation is a class without fields whose apply works on one vector; map<Op, T> compiles a loop of its own for it.
 * Wide computes four float32 through an operation on two float64.
 */

const LOG10E = memory.data<f64>([0.4342944819032518]);

class Wide<Op> {
  apply<T>(x: v128, p: v128, q: v128): v128 {
    const op = changetype<Op>(0);
    const p2 = lowF64(p);
    const q2 = lowF64(q);
    return joinF32(op.apply<f64>(lowF64(x), p2, q2), op.apply<f64>(highF64(x), p2, q2));
  }
}

class Neg {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.neg<T>(x);
  }
}
class Abs {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.abs<T>(x);
  }
}
class Sign {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    const zero = v128.splat<T>(0);
    const one = v128.splat<T>(1);
    return v128.sub<T>(v128.and(v128.gt<T>(x, zero), one), v128.and(v128.lt<T>(x, zero), one));
  }
}
class Square {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.mul<T>(x, x);
  }
}
class Cube {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.mul<T>(v128.mul<T>(x, x), x);
  }
}
class Sqrt {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.sqrt<T>(x);
  }
}
class Rsqrt {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.div<T>(v128.splat<T>(1), v128.sqrt<T>(x));
  }
}
class Floor {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.floor<T>(x);
  }
}
class Ceil {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.ceil<T>(x);
  }
}
class Round {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.nearest<T>(x);
  }
}
class Trunc {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return v128.trunc<T>(x);
  }
}
class LeakyRelu {
  apply<T>(x: v128, p: v128, _q: v128): v128 {
    return v128.bitselect(x, v128.mul<T>(x, p), v128.gt<T>(x, v128.splat<T>(0)));
  }
}
/** pmax and pmin keep a NaN in their first operand. */
class Clamp {
  apply<T>(x: v128, p: v128, q: v128): v128 {
    return v128.pmin<T>(v128.pmax<T>(x, p), q);
  }
}
class AddScalar {
  apply<T>(x: v128, p: v128, _q: v128): v128 {
    return v128.add<T>(x, p);
  }
}
class MulScalar {
  apply<T>(x: v128, p: v128, _q: v128): v128 {
    return v128.mul<T>(x, p);
  }
}
class RdivScalar {
  apply<T>(x: v128, p: v128, _q: v128): v128 {
    return v128.div<T>(p, x);
  }
}
class RsubScalar {
  apply<T>(x: v128, p: v128, _q: v128): v128 {
    return v128.sub<T>(p, x);
  }
}

class Exp {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return exp(x);
  }
}
class Sigmoid {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return sigmoid(x);
  }
}
/** x / (1 + e^−x), in float64 because the quotient is denormal long before the product is. */
class Silu {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return f64x2.div(x, f64x2.add(splat64(ONE), expF64(f64x2.neg(x))));
  }
}
class Expm1 {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return expm1F64(x);
  }
}
class Log {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return logF64(x);
  }
}
class Log2 {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return f64x2.mul(logF64(x), splat64(LOG2E));
  }
}
class Log10 {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return f64x2.mul(logF64(x), splat64(LOG10E));
  }
}
class Log1p {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return log1pF64(x);
  }
}
class Tanh {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return tanhF64(x);
  }
}
class Erf {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return erfF64(x);
  }
}
class Gelu {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return f64x2.mul(x, normalF64(x, gaussF64(x)));
  }
}
class GeluTanh {
  apply<T>(x: v128, _p: v128, _q: v128): v128 {
    return f64x2.mul(x, geluSigmoid(x));
  }
}
class Softplus {
  apply<T>(x: v128, p: v128, q: v128): v128 {
    const px = f64x2.mul(x, p);
    return v128.bitselect(x, f64x2.div(log1pF64(expF64(px)), p), f64x2.gt(px, q));
  }
}

/** out[i] = op(x[i]) over `vectors` vectors */
function map<Op, T>(out: usize, x: usize, vectors: usize, p: f64, q: f64): void {
  const op = changetype<Op>(0);
  const pv = v128.splat<T>(<T>p);
  const qv = v128.splat<T>(<T>q);
  for (const end = out + (vectors << 4); out < end; out += 16, x += 16) {
    v128.store(out, op.apply<T>(v128.load(x), pv, qv));
  }
}

/** The operations that float32 and float64 share. */
function common<T>(op: i32, out: usize, x: usize, vectors: usize, p: f64, q: f64): void {
  if (op === 0) map<Neg, T>(out, x, vectors, p, q);
  if (op === 1) map<Abs, T>(out, x, vectors, p, q);
  if (op === 2) map<Sign, T>(out, x, vectors, p, q);
  if (op === 3) map<Square, T>(out, x, vectors, p, q);
  if (op === 4) map<Cube, T>(out, x, vectors, p, q);
  if (op === 5) map<Sqrt, T>(out, x, vectors, p, q);
  if (op === 6) map<Rsqrt, T>(out, x, vectors, p, q);
  if (op === 7) map<Floor, T>(out, x, vectors, p, q);
  if (op === 8) map<Ceil, T>(out, x, vectors, p, q);
  if (op === 9) map<Round, T>(out, x, vectors, p, q);
  if (op === 10) map<Trunc, T>(out, x, vectors, p, q);
  if (op === 11) map<LeakyRelu, T>(out, x, vectors, p, q);
  if (op === 12) map<Clamp, T>(out, x, vectors, p, q);
  if (op === 13) map<AddScalar, T>(out, x, vectors, p, q);
  if (op === 14) map<MulScalar, T>(out, x, vectors, p, q);
  if (op === 15) map<RdivScalar, T>(out, x, vectors, p, q);
  if (op === 16) map<RsubScalar, T>(out, x, vectors, p, q);
}

/** The operations that only float32 has. */
function onlyF32(op: i32, out: usize, x: usize, vectors: usize, p: f64, q: f64): void {
  if (op === 17) map<Exp, f32>(out, x, vectors, p, q);
  if (op === 18) map<Sigmoid, f32>(out, x, vectors, p, q);
  if (op === 19) map<Wide<Silu>, f32>(out, x, vectors, p, q);
  if (op === 20) map<Wide<Expm1>, f32>(out, x, vectors, p, q);
  if (op === 21) map<Wide<Log>, f32>(out, x, vectors, p, q);
  if (op === 22) map<Wide<Log1p>, f32>(out, x, vectors, p, q);
  if (op === 23) map<Wide<Log2>, f32>(out, x, vectors, p, q);
  if (op === 24) map<Wide<Log10>, f32>(out, x, vectors, p, q);
  if (op === 25) map<Wide<Tanh>, f32>(out, x, vectors, p, q);
  if (op === 26) map<Wide<Erf>, f32>(out, x, vectors, p, q);
  if (op === 27) map<Wide<Gelu>, f32>(out, x, vectors, p, q);
  if (op === 28) map<Wide<GeluTanh>, f32>(out, x, vectors, p, q);
  if (op === 29) map<Wide<Softplus>, f32>(out, x, vectors, p, q);
}

/** out[i] = op(x[i]), the operations' numbers being those of src/kernels/wasm/unary.ts: one call of the loops for whole vectors, one on a copy of the rest. */
export function unary<T>(op: i32, out: usize, x: usize, n: usize, p: f64, q: f64, scratch: usize): void {
  const vectors = (n * sizeof<T>()) >> 4;
  const rest = (n * sizeof<T>()) & 15;
  if (sizeof<T>() === 4 && op > 16) onlyF32(op, out, x, vectors, p, q);
  else common<T>(op, out, x, vectors, p, q);
  if (rest === 0) return;
  const temporary = scratch + REST;
  copyRest(temporary, x + (vectors << 4), rest);
  if (sizeof<T>() === 4 && op > 16) onlyF32(op, temporary, temporary, 1, p, q);
  else common<T>(op, temporary, temporary, 1, p, q);
  copyRest(out + (vectors << 4), temporary, rest);
}
