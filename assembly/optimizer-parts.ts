import { exactFma4 } from "./exact";
import { highF64, lowF64 } from "./math";
import { loadPart, storePart } from "./scratch";

/*
 * torch.optim's single-tensor updates, in place, every operation rounded as there: add_(x, alpha) and addcmul_ are one fused
 * multiply-add, so that float32 parameters are PyTorch's to the bit. float64 multiplies and adds.
 */

/** a·b + c with one rounding where T is float32: by the instruction that rounds once, or by float64. */
export class Fused {
  fma<T>(a: v128, b: v128, c: v128): v128 {
    if (ASC_FEATURE_RELAXED_SIMD && sizeof<T>() === 4) return f32x4.relaxed_madd(a, b, c);
    return v128.add<T>(v128.mul<T>(a, b), c);
  }
}
export class Exact {
  fma<T>(a: v128, b: v128, c: v128): v128 {
    if (sizeof<T>() === 8) return f64x2.add(f64x2.mul(a, b), c);
    return exactFma4(a, lowF64(b), highF64(b), lowF64(c), highF64(c));
  }
}

/** Whole vectors, or what is left behind them too. */
export class Whole {
  load(from: usize, _bytes: usize): v128 {
    return v128.load(from);
  }
  store(to: usize, v: v128, _bytes: usize): void {
    v128.store(to, v);
  }
}
export class Part {
  load(from: usize, bytes: usize): v128 {
    return loadPart(from, bytes);
  }
  store(to: usize, v: v128, bytes: usize): void {
    storePart(to, v, bytes);
  }
}
