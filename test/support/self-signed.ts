import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** A key of RSA, and a certificate in PEM that it has signed itself: as little of X.509 (RFC 5280, 4.1) as there can be. */
export function selfSigned(name: string): { privateKey: KeyObject; certificate: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const subject = der(sequence, der(set, der(sequence, commonName, der(utf8String, Buffer.from(name)))));
  const validity = der(
    sequence,
    der(utcTime, Buffer.from('200101000000Z')),
    der(generalizedTime, Buffer.from('21200101000000Z')),
  );
  const told = der(
    sequence,
    ...[der(integer, Buffer.of(1)), sha256WithRsa, subject, validity, subject],
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = createSign('sha256').update(told).sign(privateKey);
  const whole = der(sequence, told, sha256WithRsa, der(bitString, Buffer.of(0), signature));
  const lines = whole
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n');
  return { privateKey, certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n` };
}

const [integer, bitString, nothing, identifier, utf8String] = [0x02, 0x03, 0x05, 0x06, 0x0c] as const;
const [utcTime, generalizedTime, sequence, set] = [0x17, 0x18, 0x30, 0x31] as const;
const commonName = der(identifier, Buffer.from('550403', 'hex'));
const sha256WithRsa = der(sequence, der(identifier, Buffer.from('2a864886f70d01010b', 'hex')), der(nothing));

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  // Of a long form the first byte tells how many follow.
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}
