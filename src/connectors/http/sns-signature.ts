import { verify, X509Certificate } from 'node:crypto';

/** The members that are signed, in their order; `Subject` where there is one. */
const signedMembers = {
  Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'],
  others: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
} as const;

/**
 * True when a notification of Amazon SNS is signed by the key of the certificate ("Verifying the signatures of Amazon SNS
 * messages"): by SHA-256 in version 2 of the signature, by SHA-1 in version 1.
 */
export function isSnsSigned(notification: Record<string, unknown>, certificate: string): boolean {
  const { SignatureVersion, Signature, Type } = notification;
  const algorithm = { '1': 'sha1', '2': 'sha256' }[String(SignatureVersion)];
  if (algorithm === undefined || typeof Signature !== 'string') return false;
  const members = Type === 'Notification' ? signedMembers.Notification : signedMembers.others;
  const text = members
    .filter((name) => typeof notification[name] === 'string')
    .map((name) => `${name}\n${notification[name] as string}\n`)
    .join('');
  const { publicKey } = new X509Certificate(certificate);
  return verify(algorithm, Buffer.from(text), publicKey, Buffer.from(Signature, 'base64'));
}

export function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).publicKey.asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}
