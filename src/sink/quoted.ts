/** JSON text of a string; the ids of Millrace need no escape. */
export function quoted(text: string): string {
  return /^[\w-]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
}
