export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process. Nothing outside this folder reads `process.env`. */
export function environment(): Environment {
  return process.env;
}
