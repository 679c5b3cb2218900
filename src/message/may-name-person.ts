/**
 * Whether a text that somebody else wrote may hold a recipient: an address, a URL, or a number as long as a telephone's,
 * however its digits are grouped. What is kept where erasing a person does not look may not.
 */
export function mayNamePerson(text: string): boolean {
  return recipientLike.test(text);
}

/** A short text with a mark in the place of each part that may be a recipient. Its time grows with the square of the length. */
export function withoutPersons(text: string): string {
  return text.replace(everyRecipient, '(…)');
}

/** As JSON and URLs write them too: PHP escapes slashes, and forms encode the at sign. */
const inUrl = String.raw`:(?:\\?/){2}`;
const inAddress = '(?:@|%40)';
/** Seven digits: the shortest numbers that are taken (`phoneDigitsMin`). */
const number = String.raw`\+?\d(?:[\s().\/_-]{0,3}\d){6,}`;
const recipientLike = new RegExp(`${inUrl}|${inAddress}|${number}`);

const url = String.raw`[^\s"<>]*${inUrl}[^\s"<>]*`;
const address = String.raw`[^\s"<>(),;:]*${inAddress}[^\s"<>(),;:]*`;
const everyRecipient = new RegExp(`${url}|${address}|${number}`, 'g');
