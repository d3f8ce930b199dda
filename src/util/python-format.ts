/** A number as Python's repr writes it: 1e-05, 0.1, inf. A whole number stays whole, since JavaScript cannot tell 1 from 1.0. */
export function pythonNumber(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Number.isInteger(x) && Math.abs(x) < 1e16) return String(x);
  const [digits, exponent] = x.toExponential().split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 16) return x.toFixed(Math.max(0, digits.replace(/^-?\d\.?/, "").length - power));
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** True, False and None; numbers as pythonNumber; arrays as tuples; strings in single quotes. */
export function pythonRepr(value: unknown): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === null || value === undefined) return "None";
  if (typeof value === "number") return pythonNumber(value);
  if (typeof value === "string") return `'${value}'`;
  if (Array.isArray(value))
    return value.length === 1 ? `(${pythonRepr(value[0])},)` : `(${value.map(pythonRepr).join(", ")})`;
  return String(value);
}

/** A number that is a float in Python, as its repr: 1 is 1.0. */
export function pythonFloat(x: number | null): string {
  return x !== null && Number.isInteger(x) && Math.abs(x) < 1e16 ? `${x}.0` : pythonRepr(x);
}
