export interface ServerEvent {
  name: string;
  data: string;
}

/** An event is a few hundred kilobytes at most: a stream without an end to one is none of this server. */
const eventLengthMax = 20_000_000;

/** The events of a `text/event-stream`, by the specification of HTML as far as servers of Millrace use it. */
export async function* eventsIn(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        yield eventOf(text.slice(0, end));
        text = text.slice(end + 2);
      }
      if (text.length > eventLengthMax) throw new Error('an event is too long');
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function eventOf(block: string): ServerEvent {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') name = value!;
    if (field === 'data') data.push(value!);
  }
  return { name, data: data.join('\n') };
}
