/** A command that could not do what it was asked: what is wrong, and what to do next. */
export class Failure extends Error {
  override readonly name = 'Failure';
  /** 1: it failed. 2: it was asked in the wrong way. */
  readonly exitStatus: 1 | 2;
  readonly hint: string | undefined;

  constructor(message: string, { hint, exitStatus = 1 }: { hint?: string; exitStatus?: 1 | 2 } = {}) {
    super(message);
    this.hint = hint;
    this.exitStatus = exitStatus;
  }
}

/** Wrong usage: exit status 2. */
export function usageFailure(message: string, hint?: string): Failure {
  return new Failure(message, { exitStatus: 2, ...(hint === undefined ? {} : { hint }) });
}
