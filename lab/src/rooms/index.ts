import type { ComponentType } from "preact";
import type { RoomName } from "../router.ts";

/** How each room is loaded: a chunk of its own. */
export const loadRoom: Record<RoomName, () => Promise<{ default: ComponentType }>> = {
  why: () => import("./why/index.tsx"),
  layer: () => import("./layer/index.tsx"),
  shapes: () => import("./shapes/index.tsx"),
  train: () => import("./train/index.tsx"),
  model: () => import("./model/index.tsx"),
};
