/**
 * What every long-running part of the process is: `start` returns at once, `stop` resolves when the part
 * has come to rest and may be called twice.
 */
export interface Service {
  readonly name: string;
  start(): void;
  stop(): Promise<void>;
}
