import { Writable } from 'node:stream';

/** A stream that passes for a terminal, and keeps what was written without what moved its cursor. */
export class TerminalStream extends Writable {
  readonly isTTY = true;
  readonly columns = 200;
  text = '';

  cursorTo(): void {}
  moveCursor(): void {}
  clearLine(): void {}
  clearScreenDown(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}
