import { useEffect, useState } from "preact/hooks";
import { useTheme } from "../settings.ts";
import { useWidth } from "./use-size.ts";

type PlotLibrary = typeof import("@observablehq/plot");
type PlotOptions = import("@observablehq/plot").PlotOptions;

interface PlotProps {
  /** What to draw at this width. Colours as "var(--after)". */
  readonly draw: (Plot: PlotLibrary, width: number) => PlotOptions;
  /** height / width, or the height in pixels where it is above 10 */
  readonly aspect?: number;
}

let library: PlotLibrary | undefined;
let loading: Promise<PlotLibrary> | undefined;

/** Observable Plot comes with the first picture, and stays. */
function loadPlot(): Promise<PlotLibrary> {
  loading ??= import("@observablehq/plot").then((module) => (library = module));
  return loading;
}

/** A picture by Observable Plot, as wide as its place. It stands in a Figure, which says in words what it shows. */
export function Plot({ draw, aspect = 0.6 }: PlotProps) {
  const [place, width] = useWidth<HTMLDivElement>();
  const [here, setHere] = useState(library);
  const { theme } = useTheme();
  const height = aspect > 10 ? aspect : Math.round(width * aspect);
  useEffect(() => {
    if (!here) loadPlot().then((module) => setHere(() => module));
  }, [here]);
  // The theme is among them since Plot computes some colours.
  useEffect(() => {
    if (!here || width === 0) return;
    const svg = here.plot({
      width,
      height,
      style: { fontFamily: "inherit", fontSize: "12px", overflow: "visible" },
      ...draw(here, width),
    });
    svg.setAttribute("aria-hidden", "true");
    place.current!.replaceChildren(svg);
  }, [here, width, height, draw, theme]);
  return (
    <div
      ref={place}
      class="plot"
      style={{ minHeight: height || undefined, aspectRatio: height ? undefined : 1 / aspect }}
    />
  );
}
