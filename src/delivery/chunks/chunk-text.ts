import { erasedLine } from '../../message/erased-line.ts';
import type { MessageDefaults, MessageFields } from '../../message/fields.ts';
import { messageIds } from '../../message/id.ts';
import { payloadAtGlance } from '../../message/line-payload.ts';
import { lineRecipient, recipientAtGlance } from '../../message/line-recipient.ts';
import { placeOf } from '../../message/send-window/recipient-zones.ts';
import { mayNameTags, ownTagsOf } from '../../message/statistics/own-tags.ts';
import { textNames } from '../../message/templates/compile-template.ts';
import {
  type ChunkTemplates,
  type TemplatedText,
  templatedText,
} from '../../message/templates/templated-text.ts';
import type { MessageTimes } from './message-times.ts';

/** Bytes of a message's id, line object, state and attempts. */
const messageOverhead = 150;

/** What steers rendering and sending, and is not sent along. */
const steeringFields: ReadonlySet<string> = new Set([
  ...['template', 'params', 'templatePin', 'templateVersion', 'sendWindow', 'test', 'atomic'],
]);
const textFields: ReadonlySet<string> = new Set(textNames);

/** What the messages of a loaded chunk are called, and what they say. */
export class ChunkText {
  /** About what it weighs in memory, in bytes. */
  readonly size: number;
  #lines: string[];
  #ids: string[];
  /** Of those that were asked for. */
  readonly #places: (string | undefined)[] = [];
  readonly #defaults: [string, unknown][];
  readonly #defaultTags: readonly string[];
  /** Its messages have times of their own. */
  readonly #isTimed: boolean;
  readonly #erased = new Set<number>();
  /** Some line may name tags of its own; undefined until somebody wants to know. */
  #hasTags: boolean | undefined;
  /** Undefined where no message needs any. */
  readonly #templated:
    | { defaults: MessageDefaults | undefined; templates: ChunkTemplates | undefined }
    | undefined;

  constructor(
    chunk: { id: string; count: number },
    text: {
      lines: string[];
      defaults: MessageDefaults | undefined;
      templates?: ChunkTemplates | undefined;
      times?: MessageTimes | undefined;
      defaultTags?: readonly string[] | undefined;
    },
  ) {
    const { defaults, templates } = text;
    this.#defaultTags = text.defaultTags ?? defaults?.tags ?? noTags;
    this.size = text.lines.reduce((sum, line) => sum + line.length + messageOverhead, 0);
    this.#lines = text.lines;
    this.#isTimed = text.times !== undefined;
    this.#ids = messageIds(chunk.id, chunk.count);
    this.#defaults = Object.entries(defaults ?? {}).filter(([name]) => !steeringFields.has(name));
    const isTemplated = defaults?.template !== undefined || templates?.pins;
    this.#templated = isTemplated ? { defaults, templates } : undefined;
  }

  /** Some of its messages may have to be rendered. */
  get isTemplated(): boolean {
    return this.#templated !== undefined;
  }

  idAt(offset: number): string {
    return this.#ids[offset]!;
  }

  /** The countries that the recipient's number may belong to, none for what is no number; undefined where nothing is left of it. */
  placeAt(offset: number): string | undefined {
    this.#places[offset] ??= placeOfLine(this.#lines[offset]);
    return this.#places[offset];
  }

  /** Its recipient where its line begins with it: see `line-recipient.ts`. */
  recipientAtGlance(offset: number): string | undefined {
    return recipientAtGlance(this.#lines[offset]!);
  }

  /** The text of its payload where its line ends with it (`line-payload.ts`), and no template may make another of it. */
  payloadAtGlance(offset: number): string | undefined {
    return this.#templated ? undefined : payloadAtGlance(this.#lines[offset]!);
  }

  /**
   * The message's own fields over those of its batch, and what its template makes of it. Throws when the stored line
   * cannot be read.
   * @throws RenderError when its template cannot be rendered
   */
  fieldsAt(offset: number): MessageFields {
    const fields = JSON.parse(this.#lines[offset]!) as MessageFields & Record<string, unknown>;
    const templated = this.#templated && templatedText(fields, this.#templated);
    if (templated) this.#render(fields, templated);
    else {
      // Filling in is half the cost of spreading both into a third object.
      for (const [name, value] of this.#defaults) {
        if (!Object.hasOwn(fields, name)) fields[name] = value;
      }
    }
    // They steer the message and are not sent along.
    if (fields.orderingKey !== undefined) delete fields.orderingKey;
    if (fields.reportUrl !== undefined) delete fields.reportUrl;
    if (this.#isTimed) {
      delete fields.scheduledAt;
      delete fields.expiresAt;
    }
    return fields;
  }

  /** All text is of the template: the batch's own is for lines without one. */
  #render(fields: MessageFields & Record<string, unknown>, templated: TemplatedText): void {
    delete fields.template;
    delete fields.params;
    for (const [name, value] of this.#defaults) {
      if (!textFields.has(name) && !Object.hasOwn(fields, name)) fields[name] = value;
    }
    Object.assign(fields, templated.render());
  }

  /** Whom the messages go to, by offset. */
  recipients(): (string | undefined)[] {
    return this.#lines.map(lineRecipient);
  }

  /** Those of the batch for a message that names none. */
  tagsAt(offset: number): readonly string[] {
    this.#hasTags ??= this.#lines.some(mayNameTags);
    const own = this.#hasTags ? ownTagsOf(this.#lines[offset] ?? '') : undefined;
    return own ?? this.#defaultTags;
  }

  erase(offset: number): void {
    this.#erased.add(offset);
    if (offset < this.#lines.length) this.#lines[offset] = erasedLine;
  }

  /** Messages that were erased since the last call. */
  takeErased(): number[] {
    const erased = [...this.#erased];
    this.#erased.clear();
    return erased;
  }

  drop(): void {
    this.#lines = [];
    this.#ids = [];
  }
}

const noTags: readonly string[] = [];

/** A line that was erased, or that cannot be read, is dealt with where it is handled. */
function placeOfLine(line = ''): string | undefined {
  const to = lineRecipient(line);
  return to === undefined ? undefined : placeOf(to);
}
