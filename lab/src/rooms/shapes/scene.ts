import { type Cell, cellsOf, MOST, type ShapeSettings } from "./kinds.ts";

/** How the tensor is turned, in degrees: around the upright axis, and tipped towards the reader. */
export interface View {
  readonly turn: number;
  readonly tilt: number;
}

export type Point2 = readonly [x: number, y: number];

/** One side of a box on the screen. */
export interface Face {
  readonly points: readonly Point2[];
  /** 0 front, 1 side, 2 top */
  readonly side: number;
}

export interface Box {
  readonly index: number;
  readonly cell: Cell;
  readonly faces: readonly Face[];
}

export interface Scene {
  /** from the farthest to the nearest */
  readonly boxes: readonly Box[];
  /** under each sample, and beside the axes */
  readonly labels: readonly { readonly text: string; readonly at: Point2; readonly sample?: number }[];
  readonly height: number;
  /** a cell's side on the screen */
  readonly unit: number;
}

type Point3 = readonly [x: number, y: number, z: number];

const THICKNESS = 0.5;
const GAP = 0.08;
const SLAB = 1.25;
const BETWEEN = 2.2;

/** The corners of a box's front, right, left, top sides: bits of x, y, z, going round. */
const SIDES = {
  front: [0b000, 0b100, 0b110, 0b010],
  right: [0b100, 0b101, 0b111, 0b110],
  left: [0b001, 0b000, 0b010, 0b011],
  top: [0b000, 0b100, 0b101, 0b001],
};

/** Lays the tensor out (samples side by side, channels behind each other) and projects it into a picture of this width. */
export function sceneOf(settings: ShapeSettings, view: View, width: number): Scene {
  const { samples, side } = settings;
  const [yaw, pitch] = [(view.turn * Math.PI) / 180, (view.tilt * Math.PI) / 180];
  const [cosY, sinY, cosP, sinP] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const rotate = ([x, y, z]: Point3): Point3 => {
    const [across, away] = [x * cosY + z * sinY, z * cosY - x * sinY];
    return [across, y * cosP - away * sinP, away * cosP + y * sinP];
  };
  const span: Point3 = [samples * side + (samples - 1) * BETWEEN, side, (MOST.channels - 1) * SLAB + THICKNESS];
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) =>
    rotate([span[0] * (bits >> 2), span[1] * ((bits >> 1) & 1), span[2] * (bits & 1)]),
  );
  const [left, right] = [Math.min(...corners.map((p) => p[0])), Math.max(...corners.map((p) => p[0]))];
  const [top, bottom] = [Math.min(...corners.map((p) => p[1])), Math.max(...corners.map((p) => p[1]))];
  const narrow = width < 500;
  const margin = narrow ? 22 : 64;
  const unit = Math.min((width - 2 * margin) / (right - left), 64, 440 / (bottom - top));
  const shift = (width - unit * (right - left)) / 2;
  const project = (point: Point3): Point2 => {
    const [x, y] = rotate(point);
    return [shift + (x - left) * unit, 24 + (y - top) * unit];
  };
  const origin = ({ n, c, h, w }: Cell): Point3 => [n * (side + BETWEEN) + w, h, c * SLAB];
  const shownSides = [SIDES.front, view.turn > 0 ? SIDES.right : SIDES.left, SIDES.top];
  const boxes = cellsOf(settings).map((cell, index) => {
    const [x, y, z] = origin(cell);
    const corner = (bits: number) =>
      project([
        x + GAP / 2 + (1 - GAP) * (bits >> 2),
        y + GAP / 2 + (1 - GAP) * ((bits >> 1) & 1),
        z + THICKNESS * (bits & 1),
      ]);
    const depth = rotate([x + 0.5, y + 0.5, z + THICKNESS / 2])[2];
    return {
      index,
      cell,
      depth,
      faces: shownSides.map((bits, number) => ({ points: bits.map(corner), side: number })),
    };
  });
  boxes.sort((a, b) => b.depth - a.depth);
  const axis = (name: string, size: number) => (narrow ? name : `${name} = ${size}`);
  const beside = ([x, y]: Point2): Point2 => [x + (view.turn > 0 ? -1 : 1) * (narrow ? 14 : 38), y];
  const start = (n: number) => n * (side + BETWEEN);
  const labels = [
    ...Array.from({ length: samples }, (_, n) => ({
      text: `n = ${n + 1}`,
      at: project([start(n) + side / 2, side + 0.55, 0]),
      sample: n,
    })),
    { text: axis("W", side), at: project([side / 2, -0.5, span[2]]) },
    { text: axis("H", side), at: beside(project([view.turn > 0 ? 0 : span[0], side / 2, 0])) },
    { text: axis("C", MOST.channels), at: project([view.turn > 0 ? span[0] + 0.7 : -0.7, side + 0.7, span[2] / 2]) },
  ];
  return { boxes, labels, height: unit * (bottom - top) + 24 + 44, unit };
}

/** The place at a point of the picture: of the nearest box there. */
export function cellAt(scene: Scene, x: number, y: number): Box | undefined {
  return scene.boxes.findLast(({ faces }) => faces.some(({ points }) => isInside(points, x, y)));
}

function isInside(points: readonly Point2[], x: number, y: number): boolean {
  let inside = false;
  points.forEach(([ax, ay], i) => {
    const [bx, by] = points[(i + 1) % points.length];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) inside = !inside;
  });
  return inside;
}
