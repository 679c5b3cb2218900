import type { Environment } from '../config/environment.ts';
import type { Terminal } from './terminal.ts';

/** The parts of a terminal's input that are needed to hear single keys. */
export interface KeyInput {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (data: Uint8Array) => void): unknown;
  off(event: 'data', listener: (data: Uint8Array) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** What a command gets from the process it runs in, so that a test can run it in another. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly environment: Environment;
  /** Where keys come from, while a picture is drawn. */
  readonly input?: KeyInput;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}
