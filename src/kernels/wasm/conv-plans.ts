import type { Conv2dShape, Pointer } from "../backend.ts";

/** A convolution of one shape, and its gradients. */
export type Forward = (out: Pointer, x: Pointer, w: Pointer, bias: Pointer) => void;
export type InputGrad = (gx: Pointer, g: Pointer, w: Pointer) => void;
export type WeightGrad = (gw: Pointer, g: Pointer, x: Pointer) => void;

/** Places for shapes that are remembered, and how many of them a shape may have: the convolutions of a network with many to spare. */
const PLACES = 256;
const TRIES = 4;

/**
 * What `make` gives for a shape, made once: a network convolves the same few shapes at every step, and for small ones the lists of taps would take as long as the products. Shapes are hashed, since between two
 * kernels nothing of a list to search would be in the cache.
 */
export function planned<Plan>(make: (shape: Conv2dShape) => Plan): (shape: Conv2dShape) => Plan {
  const made: ({ readonly shape: Conv2dShape; readonly plan: Plan } | undefined)[] = Array(PLACES).fill(undefined);
  return (shape) => {
    const hash = hashOf(shape);
    let free = hash % PLACES;
    for (let i = 0; i < TRIES; i++) {
      const place = (hash + i) % PLACES;
      const entry = made[place];
      if (!entry) {
        free = place;
        break;
      }
      if (sameShape(entry.shape, shape)) return entry.plan;
    }
    const copy = { ...shape };
    const entry = { shape: copy, plan: make(copy) };
    made[free] = entry;
    return entry.plan;
  };
}

function hashOf(s: Conv2dShape): number {
  let hash = Math.imul(s.batch, 31) + s.inChannels;
  hash = Math.imul(hash, 31) + s.outChannels;
  hash = Math.imul(hash, 31) + s.inHeight;
  hash = Math.imul(hash, 31) + s.inWidth;
  hash = Math.imul(hash, 31) + 16 * s.kernelHeight + 4 * s.strideHeight + s.paddingHeight;
  hash = Math.imul(hash, 0x9e3779b1);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function sameShape(a: Conv2dShape, b: Conv2dShape): boolean {
  return (
    a.inHeight === b.inHeight &&
    a.inChannels === b.inChannels &&
    a.batch === b.batch &&
    a.inWidth === b.inWidth &&
    a.outChannels === b.outChannels &&
    a.outHeight === b.outHeight &&
    a.outWidth === b.outWidth &&
    a.kernelHeight === b.kernelHeight &&
    a.kernelWidth === b.kernelWidth &&
    a.strideHeight === b.strideHeight &&
    a.strideWidth === b.strideWidth &&
    a.paddingHeight === b.paddingHeight &&
    a.paddingWidth === b.paddingWidth &&
    a.dilationHeight === b.dilationHeight &&
    a.dilationWidth === b.dilationWidth &&
    a.groups === b.groups
  );
}
