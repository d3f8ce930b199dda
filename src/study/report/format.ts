/** 0.9712 as "97.1%". */
export function percent(fraction: number, digits = 1): string {
  return `${(fraction * 100).toFixed(digits)}%`;
}

/** A share of a whole: "12%", with a decimal where it is small: "3.4%". */
export function share(fraction: number): string {
  return percent(fraction, fraction < 0.095 ? 1 : 0);
}

/** A difference of fractions in percentage points, with its sign: "+1.2", "−0.4". */
export function points(difference: number, digits = 2): string {
  return signed((difference * 100).toFixed(digits), difference >= 0);
}

/** A difference of fractions in percentage points, without its sign. */
export function magnitude(difference: number): string {
  return Math.abs(difference * 100).toFixed(2);
}

/** 50000 as "50,000". */
export function integer(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A number of a scale, as short as it can be said: 0.001, 0.3, 10. */
export function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** A factor: "30", "2.4". */
export function factor(value: number): string {
  return value >= 10 ? integer(value) : String(Number(value.toFixed(1)));
}

/** A number with fixed decimals and a real minus sign. */
export function decimal(value: number, digits = 3): string {
  return value.toFixed(digits).replace("-", "−");
}

function signed(text: string, positive: boolean): string {
  return positive ? `+${text}` : text.replace("-", "−");
}

/** At most `limit` indices of a list of `length`, evenly spread, the first and the last among them. */
export function thin(length: number, limit: number): number[] {
  if (length <= limit) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: limit }, (_, i) => Math.round((i * (length - 1)) / (limit - 1)));
}
