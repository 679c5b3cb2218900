import type { buildConnector, Dispatcher } from 'undici';
import { Client } from 'undici';
import type { SendError } from '../connector.ts';
import { sendError } from '../send-errors.ts';
import { lostError, unsentError } from './fault-error.ts';

/**
 * What came of one request:
 * - `unsent`: not a byte of it left, so the provider cannot know it;
 * - `lost`: it began to leave, and no answer began;
 * - `cut`: a status came, its body did not come in full;
 * - `answered`: the whole answer.
 */
export type Reply =
  | { kind: 'unsent'; error: SendError }
  | { kind: 'lost'; error: SendError }
  | { kind: 'cut'; status: number; headers: Buffer[]; body: Buffer; error: SendError }
  | { kind: 'answered'; status: number; headers: Buffer[]; body: Buffer };

export interface SlotSettings<Task> {
  origin: string;
  connect: buildConnector.connector;
  /** Bytes of an answer's body that are read before the rest is refused. */
  responseBytesMax: number;
  /** Called exactly once for each `start`, with its task. The reply's buffers are not to be kept. */
  onReply(task: Task, reply: Reply): void;
  /** Called when the slot can `start` again, after `onReply`. */
  onFree(slot: RequestSlot<Task>): void;
}

/** What is posted, or asked for by GET: names and values of headers in turn, as undici takes them with the least work. */
export interface PostedRequest {
  method?: 'GET';
  headers: string[];
  /** Null for a request without one. */
  body: string | null;
}

export interface SlotRequest {
  path: string;
  posted: PostedRequest;
  mayBegin: () => boolean;
}

/**
 * One connection with at most one request on it, and its own undici handler, so that a request costs no
 * closure and no search for an idle connection.
 *
 * The life of a request: `waiting` for the connection, `begun` when undici is about to write, `answering`
 * when a status came; then `idle`. A request that is given up while it waits cannot be taken back from
 * undici: the slot is `abandoned` until undici comes to write it, and is stopped there.
 *
 * undici's callback handlers (`onConnect`, `onHeaders`, …) are deprecated in favour of ones that parse every
 * response header into an object, which nothing here needs.
 */
export class RequestSlot<Task> implements Dispatcher.DispatchHandler {
  readonly #settings: SlotSettings<Task>;
  readonly #client: Client;
  #state: 'idle' | 'waiting' | 'begun' | 'answering' | 'abandoned' = 'idle';
  #task: Task | undefined;
  #mayBegin: (() => boolean) | undefined;
  #abort: ((fault: Error) => void) | undefined;
  #cancelError: SendError | undefined;
  #status = 0;
  #headers: Buffer[] = noHeaders;
  #body: Buffer = noBody;
  #bodyParts: Buffer[] | undefined;
  #bodyBytes = 0;

  constructor(settings: SlotSettings<Task>) {
    this.#settings = settings;
    this.#client = new Client(settings.origin, {
      connect: settings.connect,
      pipelining: 1,
      // The sender keeps one deadline for the whole request; undici's only watch for silence.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** What the slot works for, as long as no reply has been given. */
  get task(): Task | undefined {
    return this.#task;
  }

  /** `mayBegin` is asked when undici is about to write. */
  start(task: Task, request: SlotRequest): void {
    const { path, posted, mayBegin } = request;
    const { method = 'POST', headers, body } = posted;
    this.#task = task;
    this.#mayBegin = mayBegin;
    this.#state = 'waiting';
    this.#cancelError = undefined;
    this.#status = 0;
    this.#bodyBytes = 0;
    // `blocking: false` spares undici a pass over its queue; it matters to pipelining only.
    this.#client.dispatch({ path, method, headers, body, blocking: false }, this);
  }

  /** Whether the request in the slot may have begun to leave. */
  get begun(): boolean {
    return this.#state === 'begun' || this.#state === 'answering';
  }

  /** Gives the request up. `onReply` is called before this returns, unless the reply was there already. */
  cancel(error: SendError): void {
    if (this.#state === 'waiting') {
      this.#state = 'abandoned';
      this.#reply({ kind: 'unsent', error });
    } else if (this.#state === 'begun' || this.#state === 'answering') {
      this.#cancelError = error;
      this.#abort?.(new Error(error.code));
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** The moment before undici writes. Stopped here, a request has not left. */
  onConnect(abort: (fault?: Error) => void): void {
    if (this.#state === 'waiting' && !this.#mayBegin!()) this.cancel(sendError('not_begun'));
    // Abandoned; or undici means to send the same request again, which only the delivery may decide. Where `abort` would
    // end the connection, what is thrown here ends the request alone.
    if (this.#state !== 'waiting') throw new Error('not to be sent');
    this.#state = 'begun';
    this.#abort = abort;
  }

  onHeaders(status: number, headers: Buffer[]): boolean {
    // 1xx announce the answer, they are none.
    if (status < 200) return true;
    this.#state = 'answering';
    this.#status = status;
    this.#headers = headers;
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > this.#settings.responseBytesMax) {
      this.cancel(sendError('response_too_large'));
      return false;
    }
    if (this.#bodyBytes === chunk.length) this.#body = chunk;
    else if (this.#bodyParts === undefined) this.#bodyParts = [this.#body, chunk];
    else this.#bodyParts.push(chunk);
    return true;
  }

  onComplete(): void {
    this.#reply({ kind: 'answered', status: this.#status, headers: this.#headers, body: this.#readBody() });
    this.#clear();
    this.#settings.onFree(this);
  }

  onError(fault: Error): void {
    const error = this.#cancelError ?? lostError(fault);
    switch (this.#state) {
      case 'abandoned':
        break;
      case 'waiting':
        this.#reply({ kind: 'unsent', error: unsentError(fault) });
        break;
      case 'begun':
        this.#reply({ kind: 'lost', error });
        break;
      case 'answering': {
        const body = this.#readBody();
        this.#reply({ kind: 'cut', status: this.#status, headers: this.#headers, body, error });
      }
    }
    this.#clear();
    // undici is amid clearing its queue, and throws when a request comes into it meanwhile (client.js, onError).
    queueMicrotask(() => this.#settings.onFree(this));
  }

  #readBody(): Buffer {
    return this.#bodyParts === undefined ? this.#body : Buffer.concat(this.#bodyParts);
  }

  #reply(reply: Reply): void {
    const task = this.#task!;
    this.#task = undefined;
    this.#settings.onReply(task, reply);
  }

  /** Drops what belongs to the request: buffers that live on in idle slots are copied by every young collection. */
  #clear(): void {
    this.#state = 'idle';
    this.#mayBegin = undefined;
    this.#abort = undefined;
    this.#headers = noHeaders;
    this.#body = noBody;
    this.#bodyParts = undefined;
  }
}

const noBody = Buffer.alloc(0);
const noHeaders: Buffer[] = [];
