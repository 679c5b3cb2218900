import type { Http, Page } from '../http.ts';
import type { Erasure } from '../resources/erasure.ts';
import type { Message, MessageState, NewMessage, Resolution, SendAnswer } from '../resources/message.ts';
import type { CallOptions, ListOptions } from './options.ts';

/** One of `to`, `ref` and `state`. */
export interface MessageQuery extends ListOptions {
  to?: string;
  ref?: string;
  /** Of messages without a batch: uncertain, failed, expired, canceled, suppressed. */
  state?: MessageState;
  /** Created at this time (RFC 3339) or later, and before `until`. */
  since?: string;
  until?: string;
}

export type MessageCalls = ReturnType<typeof messageCalls>;

export function messageCalls(http: Http) {
  const at = (id: string) => `/v1/messages/${encodeURIComponent(id)}`;
  const post = <T>(path: string, { body, ...options }: CallOptions & { body?: unknown }) =>
    http.value<T>({ method: 'POST', path, ...(body === undefined ? {} : { body }), ...options });
  return {
    /** One message, or up to 1,000, of which some may be refused: see `errors`. Durable when it is answered. */
    send: (messages: NewMessage | readonly NewMessage[], options: CallOptions = {}): Promise<SendAnswer> =>
      post('/v1/messages', { body: messages, ...options }),
    /** With its timeline. */
    get: (id: string, signal?: AbortSignal): Promise<Message> => http.value({ path: at(id), signal }),
    /** A page of messages, newest first; it may be short and still have a `next`. */
    find: ({ signal, ...query }: MessageQuery): Promise<Page<Message>> =>
      http.value({ path: '/v1/messages', query, signal }),
    /** Every one that `find` finds, page after page. */
    all: ({ signal, ...query }: MessageQuery) => http.items<Message>({ path: '/v1/messages', query, signal }),
    /** It is not sent, unless it has left already. */
    cancel: (id: string, options: CallOptions = {}): Promise<Message> => post(`${at(id)}/cancel`, options),
    /** Makes a new attempt of one that has failed, expired, been canceled or become uncertain. */
    replay: (id: string, options: CallOptions = {}): Promise<Message> => post(`${at(id)}/replay`, options),
    /** Settles an uncertain message. */
    resolve: (id: string, resolution: Resolution, options: CallOptions = {}): Promise<Message> =>
      post(`${at(id)}/resolve`, { body: resolution, ...options }),
  };
}

export type RecipientCalls = ReturnType<typeof recipientCalls>;

export function recipientCalls(http: Http) {
  return {
    /** Erases what is kept of one person; to be called again until it is `complete`. */
    erase: (recipient: { to: string; accountId?: string }, options: CallOptions = {}): Promise<Erasure> =>
      http.value({ method: 'POST', path: '/v1/recipients/erase', body: recipient, ...options }),
  };
}
