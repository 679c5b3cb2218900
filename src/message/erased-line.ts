/** What is left of a message whose recipient was erased: its place in the chunk. */
export const erasedLine = '{"to":"","erased":true}';

/** The reason of outcomes that erasing made, and what it tells. */
export const erasedError = { code: 'erased', detail: 'The recipient was erased' };
