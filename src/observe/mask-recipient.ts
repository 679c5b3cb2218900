export type RecipientsShown = 'masked' | 'full';

/** Of a recipient what tells two apart by eye and nobody who it is: `+316*****78`, `a***@example.com`, `https://host/…`. */
export function maskRecipient(to: string): string {
  if (to.includes('://')) return maskUrl(to);
  const at = to.lastIndexOf('@');
  if (at > 0) return `${to[0]}***${to.slice(at)}`;
  if (/^\+?\d{7,}$/.test(to)) return `${to.slice(0, 4)}${'*'.repeat(to.length - 6)}${to.slice(-2)}`;
  return '***';
}

function maskUrl(to: string): string {
  return URL.canParse(to) ? `${new URL(to).origin}/…` : '***';
}
