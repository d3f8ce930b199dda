import { show } from "../format.ts";

const plain = (power: string) => [...power].map((sign) => (sign === "⁻" ? "-" : "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(sign))).join("");

/** A number as TeX writes it; negative ones in parentheses where they follow a sign. */
export function tex(value: number, afterSign = false): string {
  const text = show(value)
    .replace("−", "-")
    .replace("·", "\\cdot ")
    .replace(/[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+/, (power) => `^{${plain(power)}}`);
  return afterSign && value < 0 ? `(${text})` : text;
}
