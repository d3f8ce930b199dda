/** A number for reading: so many significant digits, a real minus sign, powers of ten where it is very small or large. */
export function show(value: number, digits = 3): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    const [mantissa, exponent] = value.toExponential(Math.max(0, digits - 1)).split("e");
    const factor = minus(digits > 1 ? mantissa.replace(/\.?0+$/, "") : mantissa);
    return factor === "1" ? `10${superscript(Number(exponent))}` : `${factor}·10${superscript(Number(exponent))}`;
  }
  return minus(Number(value.toPrecision(digits)).toString());
}

/** A number with a fixed count of decimals, so that columns of them keep still. */
export function fixed(value: number, decimals = 3): string {
  if (!Number.isFinite(value)) return show(value);
  const text = value.toFixed(decimals);
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
}

/** A whole number with its thousands apart. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US").replaceAll(",", "\u202f");
}

const minus = (text: string) => text.replace("-", "−");

function superscript(exponent: number): string {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return [...String(exponent)].map((sign) => (sign === "-" ? "⁻" : digits[Number(sign)])).join("");
}
