/** The package's version, for files that name who made them; a test compares it with package.json. */
export const VERSION = "0.1.0";
