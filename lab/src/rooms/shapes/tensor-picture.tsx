import { useEffect, useRef } from "preact/hooks";
import { useTheme } from "../../settings.ts";
import { useWidth } from "../../ui/use-size.ts";
import { type Cell, poolOf, type ShapeSettings } from "./kinds.ts";
import { paint, type Role } from "./paint.ts";
import { type Box, cellAt, sceneOf, type View } from "./scene.ts";

interface TensorPictureProps {
  readonly settings: ShapeSettings;
  readonly values: readonly number[];
  readonly chosen: Cell;
  readonly view: View;
  readonly onView: (view: View) => void;
  readonly onChoose: (cell: Cell) => void;
}

export const TURN = { min: -70, max: 70 } as const;
export const TILT = { min: 5, max: 60 } as const;

/** The tensor in space. Dragging turns it, a tap chooses a place; sliders beside it do both by keyboard. */
export function TensorPicture({ settings, values, chosen, view, onView, onChoose }: TensorPictureProps) {
  const [place, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const pressed = useRef<{ x: number; y: number; view: View; moved: boolean } | undefined>(undefined);
  const { theme } = useTheme();
  const scene = sceneOf(settings, view, Math.max(width, 200));

  // The theme is among them since the colours are read when the picture is painted.
  useEffect(() => {
    if (width === 0) return;
    const element = canvas.current!;
    element.width = Math.round(width * devicePixelRatio);
    element.height = Math.round(scene.height * devicePixelRatio);
    const context = element.getContext("2d")!;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    const pool = poolOf(settings, chosen);
    paint(context, scene, width, values, ({ cell }: Box): Role => {
      if (cell.n === chosen.n && cell.c === chosen.c && cell.h === chosen.h && cell.w === chosen.w) return "chosen";
      const { row, column } = poolOf(settings, cell);
      if (row === pool.row && column === pool.column) return "pool";
      return (row + column) % 2 === 0 ? "other" : "otherAlt";
    });
  }, [settings, values, chosen, scene, width, theme]);

  const drag = (event: PointerEvent) => {
    const start = pressed.current;
    if (!start) return;
    const [across, down] = [event.clientX - start.x, event.clientY - start.y];
    start.moved ||= Math.hypot(across, down) > 4;
    if (!start.moved) return;
    const within = (value: number, { min, max }: { min: number; max: number }) => Math.min(max, Math.max(min, value));
    onView({ turn: within(start.view.turn + across * 0.3, TURN), tilt: within(start.view.tilt + down * 0.3, TILT) });
  };
  const release = (event: PointerEvent) => {
    const moved = pressed.current?.moved;
    pressed.current = undefined;
    if (moved) return;
    const box = canvas.current!.getBoundingClientRect();
    const hit = cellAt(scene, event.clientX - box.left, event.clientY - box.top);
    if (hit) onChoose(hit.cell);
  };

  return (
    <div ref={place} class="tensor">
      <canvas
        ref={canvas}
        style={{ width: `${width}px`, height: `${scene.height}px` }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          pressed.current = { x: event.clientX, y: event.clientY, view, moved: false };
        }}
        onPointerMove={drag}
        onPointerUp={release}
        onPointerCancel={() => {
          pressed.current = undefined;
        }}
      />
    </div>
  );
}
