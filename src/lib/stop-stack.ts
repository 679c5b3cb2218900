/** Parts that were started, to be stopped in the opposite order. */
export class StopStack {
  private readonly stops: Array<() => Promise<unknown>> = [];
  private readonly onLateFailure: (error: unknown) => void;
  private stopping: Promise<void> | undefined;

  /** `onLateFailure` hears of a part that came up after all was stopped and could not be stopped itself. */
  constructor(onLateFailure: (error: unknown) => void) {
    this.onLateFailure = onLateFailure;
  }

  /** A part that came up after all was stopped is stopped as well: its start could not be called off. */
  push(stop: () => Promise<unknown>): void {
    this.stops.push(stop);
    this.stopLate();
  }

  /** A part that is to be stopped after all that there are now. */
  pushLast(stop: () => Promise<unknown>): void {
    this.stops.unshift(stop);
    this.stopLate();
  }

  private stopLate(): void {
    if (this.stopping === undefined) return;
    // What failed before was told to whoever stopped all: it is no reason to leave this part running.
    const before = this.stopping.catch(() => {});
    before.then(() => this.stopAll()).catch(this.onLateFailure);
  }

  /** Stops every part, also when one of them fails; throws the first failure. May be called twice. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    let failure: { error: unknown } | undefined;
    for (let stop = this.stops.pop(); stop; stop = this.stops.pop()) {
      try {
        await stop();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
  }
}
