import type { Answer, Endpoints, OutgoingMessage, Sender, SendTerms } from '../connector.ts';
import { sendError } from '../send-errors.ts';
import { isUrl } from './webhook-endpoints.ts';

/**
 * A message may be here sooner than word of its endpoint, or of the key that signs it: it is told within milliseconds of its commit, changes of
 * endpoints are polled for. So no message is refused because its endpoint is not known, or disabled, before what was
 * stored ahead of the message is known here.
 */
export class CatchingUp implements Sender {
  readonly #sender: Sender;
  readonly #endpoints: Endpoints;

  constructor(sender: Sender, endpoints: Endpoints) {
    this.#sender = sender;
    this.#endpoints = endpoints;
  }

  get batchMax(): number {
    return this.#sender.batchMax;
  }

  send(messages: readonly OutgoingMessage[], terms: SendTerms): Promise<Answer[]> {
    if (messages.some((message) => this.#wouldBeRefused(message))) return this.#sendLate(messages, terms);
    return this.#sender.send(messages, terms);
  }

  /** The second attempt comes after what was stored ahead of the message is known here. */
  rehearse(message: OutgoingMessage): Answer {
    if (message.attempt === 1 && this.#wouldBeRefused(message)) {
      return { kind: 'retry', error: sendError('endpoint_unknown_yet') };
    }
    return this.#sender.rehearse(message);
  }

  close(): Promise<void> {
    return this.#sender.close();
  }

  async #sendLate(messages: readonly OutgoingMessage[], terms: SendTerms): Promise<Answer[]> {
    if (await this.#endpoints.catchUp()) return await this.#sender.send(messages, terms);
    const error = sendError('endpoint_unknown_yet');
    return messages.map(() => ({ kind: 'retry', error }));
  }

  #wouldBeRefused({ accountId, fields: { to, report } }: OutgoingMessage): boolean {
    if (report !== undefined) return this.#endpoints.signingKeyOf(accountId) === undefined;
    if (isUrl(to)) return false;
    const endpoint = this.#endpoints.of(accountId, to);
    return endpoint === undefined || endpoint.disabled;
  }
}
