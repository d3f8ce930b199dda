import { styleText } from "node:util";

type Stream = NodeJS.WriteStream;
type Style = Parameters<typeof styleText>[0];

/** Whether a stream shows colours: a terminal, unless NO_COLOR or TERM=dumb says otherwise; FORCE_COLOR where it is none. */
export function showsColor(stream: Stream, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return stream.isTTY === true && env.TERM !== "dumb";
}

/** Colours text for a stream that shows them. */
export function painter(stream: Stream): (style: Style, text: string) => string {
  return showsColor(stream) ? (style, text) => styleText(style, text) : (_, text) => text;
}

/** Characters in a line of standard output: the terminal's, or COLUMNS, or 100. */
export function lineWidth(): number {
  const columns = process.stdout.columns ?? Number(process.env.COLUMNS);
  return Math.min(Math.max(columns || 100, 60), 160);
}

/** Standard output, whole; a reader that has seen enough (such as head) is no error. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** A remark beside the result, on standard error. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Ends quietly when the pipe that standard output goes to is closed. */
export function endWithPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
}

/** Text broken between words into lines of at most `width` characters. */
export function wrap(text: string, width: number, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && line.length + 1 + word.length > width - indent.length) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line].map((one) => indent + one).join("\n");
}

/** Rows under headings, in columns as wide as needed; `right` says which are set to the right. */
export function columns(rows: readonly (readonly string[])[], right: readonly boolean[], gap = 2): string[] {
  const widths = right.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join(" ".repeat(gap))
      .trimEnd(),
  );
}

/** Text cut in its middle to `width` characters. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = Math.ceil((width - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

/** A number in at most seven characters. */
export function brief(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e4 || size < 1e-3) return value.toExponential(1).replace("e+", "e");
  return String(Number(value.toPrecision(3)));
}

/** Bytes in a unit that fits. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < 3) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** "1 layer", "2 layers" */
export function count(n: number, thing: string): string {
  return `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;
}
