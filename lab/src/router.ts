import { useEffect, useState } from "preact/hooks";

/** The lab's rooms, in their order. */
export const ROOMS = ["why", "layer", "shapes", "train", "model"] as const;
export type RoomName = (typeof ROOMS)[number];

/** Where the reader is: #/train?lr=0.1 */
export interface Route {
  readonly room: RoomName;
  readonly query: URLSearchParams;
}

/** The route that the address names; the first room for one that is unknown. */
export function currentRoute(): Route {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const room = ROOMS.find((name) => name === path) ?? ROOMS[0];
  return { room, query: new URLSearchParams(query) };
}

/** The address of a room, with settings. */
export function hrefOf(room: RoomName, query = ""): string {
  return `#/${room}${query && `?${query}`}`;
}

/** Puts a room's settings into the address without a step in the history, so that the link can be shared. */
export function rememberQuery(room: RoomName, query: string): void {
  if (currentRoute().room === room) history.replaceState(null, "", hrefOf(room, query));
}

/** The current route; the component is drawn again when it changes. */
export function useRoute(): Route {
  const [route, setRoute] = useState(currentRoute);
  useEffect(() => {
    const listener = () => setRoute(currentRoute());
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  return route;
}
