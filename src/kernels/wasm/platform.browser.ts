/** What the runtime lets us switch and read, outside Node. */
export const platform = {
  enableRelaxedSimd(): void {},
  environment(_name: string): string | undefined {
    return undefined;
  },
};
