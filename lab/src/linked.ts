import { useEffect, useState } from "preact/hooks";
import { currentRoute, type RoomName, rememberQuery } from "./router.ts";

/** What a setting may be: one of a few values, or a number of a range. */
export type Allowed = readonly (string | number)[] | { readonly from: number; readonly to: number };

/** The value that a link gives a setting; `otherwise` if it gives none, or one that is not allowed. */
function read<Value>(name: string, allowed: Allowed, otherwise: Value): Value {
  const text = currentRoute().query.get(name);
  if (!text) return otherwise;
  const value = "from" in allowed ? Number(text) : allowed.find((one) => String(one) === text);
  if (value === undefined || ("from" in allowed && !(Number(value) >= allowed.from && Number(value) <= allowed.to)))
    return otherwise;
  return value as Value;
}

/**
 * Settings that the room's link carries, so that it shows another reader the same. What is as at first is left out. Several parts of a room
 * may each have their own.
 */
export function useLinked<Settings extends object>(
  room: RoomName,
  first: Settings,
  allowed: Readonly<Record<keyof Settings & string, Allowed>>,
): [Settings, (part: Partial<Settings>) => void] {
  const names = Object.keys(allowed) as (keyof Settings & string)[];
  const fromLink = () =>
    Object.fromEntries(names.map((name) => [name, read(name, allowed[name], first[name])])) as Settings;
  const [settings, set] = useState(fromLink);

  // A link that is pasted into the address of the open room.
  useEffect(() => {
    const listener = () => currentRoute().room === room && set(fromLink());
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, [room]);

  const change = (part: Partial<Settings>) => {
    const { query } = currentRoute();
    for (const name of Object.keys(part) as (keyof Settings & string)[]) {
      if (part[name] === first[name]) query.delete(name);
      else query.set(name, String(part[name]));
    }
    rememberQuery(room, query.toString());
    set((now) => ({ ...now, ...part }));
  };
  return [settings, change];
}
