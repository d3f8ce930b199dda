import { expect, test } from "vitest";
import { EvenkeelError, ShapeError } from "../../src/util/errors.ts";

test("an error says what was wrong and what to do, and carries both apart", () => {
  const error = new ShapeError("expected 4D input (got 2D input)", "use BatchNorm1d for [N, C] or [N, C, L]");
  expect(error.message).toBe("expected 4D input (got 2D input): use BatchNorm1d for [N, C] or [N, C, L]");
  expect(error.problem).toBe("expected 4D input (got 2D input)");
  expect(error.advice).toBe("use BatchNorm1d for [N, C] or [N, C, L]");
});

test("an error is known by its class and its name", () => {
  const error = new ShapeError("no advice");
  expect(error).toBeInstanceOf(EvenkeelError);
  expect(error).toBeInstanceOf(Error);
  expect(error.name).toBe("ShapeError");
  expect(error.message).toBe("no advice");
});
