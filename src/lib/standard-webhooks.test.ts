import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSigned, signatures, signingKey, verifyingKey } from './standard-webhooks.ts';

const pair = generateKeyPairSync('ed25519');
const seed = Buffer.from(pair.privateKey.export({ format: 'jwk' }).d!, 'base64url');
const publicKey = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x!, 'base64url');
const whsk = `whsk_${Buffer.concat([seed, publicKey]).toString('base64')}`;
const whpk = `whpk_${publicKey.toString('base64')}`;
const whsec = `whsec_${randomBytes(32).toString('base64')}`;

describe('a signature by Standard Webhooks', () => {
  it("is the one of the specification's own libraries", () => {
    const key = signingKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')!;
    const content = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: 1_614_265_330,
      body: '{"test": 2432232314}',
    };
    expect(signatures([key], content)).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('stands beside others, of which each is enough, and covers the id, the time and the body', () => {
    const keys = [whsec, whsk].map((secret) => signingKey(secret)!);
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.string(), (id, timestamp, body) => {
        const content = { id, timestamp, body };
        const header = signatures(keys, content);
        for (const secret of [whsec, whpk]) {
          const key = verifyingKey(secret)!;
          expect(isSigned(key, content, header)).toBe(true);
          expect(isSigned(key, { ...content, body: Buffer.from(`${body}.`) }, header)).toBe(false);
          expect(isSigned(key, { ...content, id: `${id}x` }, header)).toBe(false);
          expect(isSigned(key, { ...content, timestamp: timestamp + 1 }, header)).toBe(false);
        }
        const other = verifyingKey(`whsec_${randomBytes(24).toString('base64')}`)!;
        expect(isSigned(other, content, header)).toBe(false);
      }),
      { numRuns: 25 },
    );
  });

  it.each(['', 'v1', 'v1,', 'v1a,', 'v2,abc', 'v1a,AAAA v1,AAAA', ','])(
    'is not in the header %j',
    (header) => {
      const content = { id: 'a', timestamp: 1, body: '' };
      expect(isSigned(verifyingKey(whsec)!, content, header)).toBe(false);
      expect(isSigned(verifyingKey(whpk)!, content, header)).toBe(false);
    },
  );
});

describe('a secret', () => {
  it('may be the seed of an ed25519 key alone', () => {
    const content = { id: 'a', timestamp: 1, body: 'b' };
    const alone = signingKey(`whsk_${seed.toString('base64')}`)!;
    expect(signatures([alone], content)).toBe(signatures([signingKey(whsk)!], content));
  });

  it.each([
    '',
    'secret',
    'whsec_',
    'whsec_!!!!',
    `whsec_${randomBytes(23).toString('base64')}`,
    `whsec_${randomBytes(65).toString('base64')}`,
    `whsk_${randomBytes(31).toString('base64')}`,
    `whsk_${Buffer.concat([seed, randomBytes(32)]).toString('base64')}`,
    whpk,
  ])('is not %j', (secret) => {
    expect(signingKey(secret)).toBeUndefined();
  });
});
