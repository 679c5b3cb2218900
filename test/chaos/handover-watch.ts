import type { Witness } from '../support/cutting-proxy.ts';

/** A request that a provider may have read, and whose answer did not get to the worker. */
export interface Unanswered {
  /** The messages in it. */
  ids: readonly string[];
  /** When the last of it passed by, in Unix milliseconds. */
  beganAt: number;
  /** When its connection ended, and by whom. */
  endedAt: number;
  by: 'cut' | 'client' | 'server';
}

/** Keeps, of what passes between workers and a provider, the requests that were left without their answer. */
export class HandoverWatch {
  readonly unanswered: Unanswered[] = [];

  /** For one connection, which carries one request after another. */
  witness(): Witness {
    let open: Pick<Unanswered, 'ids' | 'beganAt'> | undefined;
    const requests = new HttpFramer((body) => {
      open = { ids: idsOf(body), beganAt: Date.now() };
    });
    const answers = new HttpFramer(() => {
      open = undefined;
    });
    return {
      sent: (bytes) => requests.push(bytes),
      answered: (bytes) => answers.push(bytes),
      ended: (by) => {
        if (open) this.unanswered.push({ ...open, endedAt: Date.now(), by });
      },
    };
  }
}

const headEnd = Buffer.from('\r\n\r\n');

/** Cuts one direction of a connection into messages that carry a Content-Length, as these all do. */
class HttpFramer {
  readonly #onMessage: (body: Buffer) => void;
  #bytes = Buffer.alloc(0);

  constructor(onMessage: (body: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      const headBytes = this.#bytes.indexOf(headEnd);
      if (headBytes < 0) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#bytes.toString('latin1', 0, headBytes))?.[1];
      if (length === undefined) throw new Error('a message without its length passed by');
      const from = headBytes + headEnd.length;
      const to = from + Number(length);
      if (this.#bytes.length < to) return;
      this.#onMessage(this.#bytes.subarray(from, to));
      this.#bytes = this.#bytes.subarray(to);
    }
  }
}

function idsOf(body: Buffer): string[] {
  const sent = JSON.parse(body.toString()) as { id: string } | { messages: { id: string }[] };
  return 'messages' in sent ? sent.messages.map(({ id }) => id) : [sent.id];
}
