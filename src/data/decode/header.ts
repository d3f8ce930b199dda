/** What the head of an image file says, and what had to be looked at to believe it. */
export interface ImageHeader {
  readonly format: "png" | "jpeg";
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha; palettes are unfolded */
  readonly channels: 1 | 2 | 3 | 4;
}

/** Pixels, row by row, with so many bytes each: the image's own channels, or red, green, blue and alpha. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly stride: number;
}

/** Raises what is wrong with a file. */
export type Fail = (problem: string, advice: string) => never;

export const DAMAGED = "copy or download it again";
/** What PyTorch's reader refuses as well, and what can be done about it. */
export const CONVERT = "save it again as an 8-bit RGB or grey image";
