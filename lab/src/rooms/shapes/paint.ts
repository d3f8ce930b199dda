import { fixed } from "../../format.ts";
import { color } from "../../settings.ts";
import type { Box, Scene } from "./scene.ts";

/** How a place is shown. */
export type Role = "chosen" | "pool" | "other" | "otherAlt";

interface Palette {
  readonly fill: string;
  readonly text: string;
}

/** Below this a number does not fit on a cell. */
const LEAST_FOR_NUMBERS = 25;

/** Draws the scene: the places that share their statistics in colour, the numbers on their fronts. */
export function paint(
  context: CanvasRenderingContext2D,
  scene: Scene,
  width: number,
  values: readonly number[],
  roleOf: (box: Box) => Role,
): void {
  const palettes: Record<Role, Palette> = {
    chosen: { fill: color("--before"), text: color("--card") },
    pool: { fill: color("--after"), text: color("--card") },
    other: { fill: color("--sunken"), text: color("--ink-faint") },
    otherAlt: { fill: color("--line"), text: color("--ink-faint") },
  };
  const edge = color("--card");
  context.clearRect(0, 0, width, scene.height);
  context.lineJoin = "round";
  for (const box of scene.boxes) {
    const role = roleOf(box);
    const { fill, text } = palettes[role];
    for (const { points, side } of box.faces) {
      context.beginPath();
      for (const [x, y] of points) context.lineTo(x, y);
      context.closePath();
      context.fillStyle = fill;
      context.fill();
      // Sides away from the light: the same colour under a veil.
      context.fillStyle = ["transparent", "rgb(0 0 0 / 0.22)", "rgb(255 255 255 / 0.16)"][side];
      context.fill();
      context.strokeStyle = edge;
      context.lineWidth = 1;
      context.stroke();
    }
    if (scene.unit >= LEAST_FOR_NUMBERS) number(context, box, values[box.index], text, scene.unit);
  }
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const { text, at, sample } of scene.labels) {
    context.fillStyle = color(sample === undefined ? "--ink" : "--ink-soft");
    context.font = sample === undefined ? `italic 600 16px ${color("--serif")}` : `13px ${color("--sans")}`;
    context.fillText(text, ...at);
  }
}

/** A number on a box's front, lying in its plane. */
function number(context: CanvasRenderingContext2D, box: Box, value: number, ink: string, unit: number): void {
  const [[ax, ay], [bx, by], , [dx, dy]] = box.faces[0].points;
  const ratio = devicePixelRatio;
  context.setTransform(
    (ratio * (bx - ax)) / unit,
    (ratio * (by - ay)) / unit,
    (ratio * (dx - ax)) / unit,
    (ratio * (dy - ay)) / unit,
    ratio * ax,
    ratio * ay,
  );
  context.fillStyle = ink;
  context.font = `500 ${Math.min(15, Math.max(10, unit * 0.3))}px ${color("--sans")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(fixed(value, 1), unit / 2, unit / 2);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}
