import { type Hint, hintPayloadBytesMax } from '../backlog/hint.ts';

/** Hints of one message; what lies beyond is found by reading. */
const hintsMax = 10_000;

/** Gathers the hints of one turn of the event loop into one message to the worker that they are for. */
export class HintQueue {
  readonly #send: (hints: Hint[]) => void;
  #hints: Hint[] = [];

  constructor(send: (hints: Hint[]) => void) {
    this.#send = send;
  }

  push(hints: readonly Hint[]): void {
    if (hints.length === 0) return;
    if (this.#hints.length === 0) setImmediate(() => this.#flush());
    for (const hint of hints) {
      if (this.#hints.length >= hintsMax) return;
      this.#hints.push(lightened(hint));
    }
  }

  #flush(): void {
    const hints = this.#hints;
    this.#hints = [];
    this.#send(hints);
  }
}

/** A large payload would be copied here and there; it is read back when its turn comes. */
function lightened(hint: Hint): Hint {
  if (hint.payload === undefined || hint.payload.length <= hintPayloadBytesMax) return hint;
  const { payload: _payload, codec: _codec, ...key } = hint;
  return key;
}
