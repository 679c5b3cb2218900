/** A value that was refused: the reason, to be put behind the option's name and source. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  readonly code: 'invalid_option' | 'not_available';

  constructor(reason: string, code: ValueError['code'] = 'invalid_option') {
    super(reason);
    this.code = code;
  }
}

export interface Option<T> {
  /** One line for `--help`, the documentation and `config show`. */
  doc: string;
  /** What the number counts, when it is a number: `ms`, `days`, `connections`. */
  unit?: string;
  /** The placeholder in `--help`; absent for a switch. */
  placeholder?: string;
  default: T;
  /** Reads a flag's or variable's text, or a file's JSON value; throws ValueError. */
  parse(value: unknown, place: ValuePlace): T;
  /** Never shown. `redact` shows a part of it instead. */
  secret?: true;
  redact?(value: T): string;
  /** Further environment variables besides `MILLRACE_<OPTION>`. */
  aliases?: readonly string[];
  /** Said of a value of the environment that is refused: who else may have set it. */
  environmentHint?: string;
  /** Not a flag: command lines are visible to every user of the machine. */
  withoutFlag?: true;
}

/** What a relative path in a value is relative to. */
export interface ValuePlace {
  directory: string;
}

export type ValueOf<O> = O extends Option<infer T> ? T : never;

export type Description<T> = Omit<Option<T>, 'parse'>;

export function text<T extends string | undefined = string>(description: Description<T>): Option<T> {
  return {
    ...description,
    parse(value) {
      if (typeof value !== 'string' || value.trim() === '')
        throw new ValueError('must be a text that is not empty');
      return value as T;
    },
  };
}

export function integer(description: Description<number> & { min: number; max: number }): Option<number> {
  const { min, max, ...rest } = description;
  return {
    ...rest,
    parse(value) {
      const number = typeof value === 'string' && /^[+-]?\d+$/.test(value.trim()) ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
        throw new ValueError(`must be a whole number from ${min} to ${max}`);
      }
      return number;
    },
  };
}

export function fraction(description: Description<number>): Option<number> {
  return {
    ...description,
    parse(value) {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      if (typeof number !== 'number' || !(number >= 0 && number <= 1)) {
        throw new ValueError('must be a number from 0 to 1');
      }
      return number;
    },
  };
}

export function truth(description: Description<boolean>): Option<boolean> {
  return {
    ...description,
    parse(value) {
      const word = String(value).toLowerCase();
      if (word === 'true' || word === '1' || word === 'yes' || word === 'on') return true;
      if (word === 'false' || word === '0' || word === 'no' || word === 'off') return false;
      throw new ValueError('must be true or false');
    },
  };
}

export function choice<T extends string>(description: Description<T> & { values: readonly T[] }): Option<T> {
  const { values, ...rest } = description;
  return {
    ...rest,
    parse(value) {
      const found = values.find((candidate) => candidate === value);
      if (found === undefined) throw new ValueError(`must be one of ${values.join(', ')}`);
      return found;
    },
  };
}
