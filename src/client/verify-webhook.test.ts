import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { Webhook as Reference } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { verifyWebhook, type WebhookError, type WebhookSettings } from './verify-webhook.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const otherSecret = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
const sentAt = new Date('2026-03-01T12:00:00Z');
const payload = JSON.stringify({ type: 'message.sent', data: { id: 'ü' } });

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const publicSecret = `whpk_${publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')}`;

/** A request as the published package signs it, and the settings that verify it. */
function signed(more: Partial<WebhookSettings> & { by?: string } = {}): WebhookSettings {
  const { by = secret, ...settings } = more;
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(sentAt.getTime() / 1_000),
    'webhook-signature': new Reference(by).sign('msg_1', sentAt, payload),
  };
  return { body: payload, headers, secret, nowMs: () => sentAt.getTime(), ...settings };
}

function signedByKey(body = payload): WebhookSettings {
  const settings = signed({ secret: publicSecret });
  const content = Buffer.from(`msg_1.${sentAt.getTime() / 1_000}.${body}`);
  const signature = `v1a,${sign(null, content, privateKey).toString('base64')}`;
  return { ...settings, headers: { ...settings.headers, 'webhook-signature': signature } };
}

function codeOf(settings: WebhookSettings): string {
  try {
    verifyWebhook(settings);
    return 'verified';
  } catch (error) {
    return (error as WebhookError).code;
  }
}

function withHeader(settings: WebhookSettings, name: string, value: string | undefined): WebhookSettings {
  return { ...settings, headers: { ...(settings.headers as Record<string, string>), [name]: value } };
}

describe('what the published package signs', () => {
  it('is verified, and parsed', () => {
    expect(verifyWebhook(signed())).toEqual({ id: 'msg_1', sentAt, payload: JSON.parse(payload) });
  });

  it('is verified whatever the id, the time and the body', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        fc.stringMatching(/^[a-z0-9_-]{1,40}$/),
        fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
        fc.json(),
        (key, id, at, body) => {
          const by = `whsec_${Buffer.from(key).toString('base64')}`;
          const headers = {
            'webhook-id': id,
            'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
            'webhook-signature': new Reference(by).sign(id, at, body),
          };
          const settings = { body, headers, secret: by, nowMs: () => at.getTime() };
          expect(verifyWebhook(settings).payload).toEqual(JSON.parse(body));
          expect(codeOf({ ...settings, body: `${body} ` })).toBe('no_matching_signature');
        },
      ),
    );
  });

  it('is taken as bytes, with headers of fetch, in any case, and with those of Node', () => {
    const settings = signed();
    const headers = settings.headers as Record<string, string>;
    expect(codeOf({ ...settings, body: Buffer.from(payload) })).toBe('verified');
    expect(codeOf({ ...settings, headers: new Headers(headers) })).toBe('verified');
    const upper = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]),
    );
    expect(codeOf({ ...settings, headers: upper })).toBe('verified');
  });

  it('is refused when anything of it was changed', () => {
    expect(codeOf(signed({ body: payload.replace('sent', 'lost') }))).toBe('no_matching_signature');
    expect(codeOf(withHeader(signed(), 'webhook-id', 'msg_2'))).toBe('no_matching_signature');
    const later = String(sentAt.getTime() / 1_000 + 1);
    expect(codeOf(withHeader(signed(), 'webhook-timestamp', later))).toBe('no_matching_signature');
    expect(codeOf(signed({ by: otherSecret }))).toBe('no_matching_signature');
  });

  it('is refused when it is more than five minutes old, or of the future', () => {
    const at = (offMs: number, more = {}) =>
      codeOf(signed({ nowMs: () => sentAt.getTime() + offMs, ...more }));
    expect([at(300_000), at(300_001), at(-300_000), at(-300_001)]).toEqual([
      'verified',
      'too_old',
      'verified',
      'too_new',
    ]);
    expect(at(300_001, { toleranceMs: 600_000 })).toBe('verified');
  });

  it('is told from what is no webhook at all', () => {
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) {
      expect(codeOf(withHeader(signed(), name, undefined))).toBe('missing_header');
    }
    expect(codeOf(withHeader(signed(), 'webhook-timestamp', 'now'))).toBe('bad_timestamp');
    expect(codeOf({ ...signed(), body: JSON.parse(payload) })).toBe('bad_body');
  });
});

describe('secrets that change', () => {
  it('verify by any of the secrets and any of the signatures', () => {
    const settings = signed();
    const { 'webhook-signature': first } = settings.headers as Record<string, string>;
    const second = new Reference(otherSecret).sign('msg_1', sentAt, payload);
    const both = withHeader(settings, 'webhook-signature', `v1a,bm9uZQ== ${second} v2,x ${first}`);
    for (const secrets of [[secret], [otherSecret], [publicSecret, secret]]) {
      expect(codeOf({ ...both, secret: secrets })).toBe('verified');
    }
    expect(codeOf({ ...both, secret: `whsec_${Buffer.alloc(24, 9).toString('base64')}` })).toBe(
      'no_matching_signature',
    );
  });

  it.each([
    ['none', []],
    ['an empty one', ''],
    ['a short one', 'whsec_AAAA'],
    ['one that is no base64', 'whsec_not-base64-at-all!'],
    ['a public key of another length', 'whpk_AAAA'],
    ['the private key', `whsk_${Buffer.alloc(64).toString('base64')}`],
  ])('are told when there is %s', (_name, wrong) => {
    expect(codeOf(signed({ secret: wrong }))).toBe('bad_secret');
  });
});

describe('ed25519', () => {
  it('is verified by the public key, and refused when anything was changed', () => {
    expect(verifyWebhook(signedByKey()).id).toBe('msg_1');
    expect(codeOf({ ...signedByKey(), body: `${payload} ` })).toBe('no_matching_signature');
    expect(codeOf(withHeader(signedByKey(), 'webhook-id', 'msg_2'))).toBe('no_matching_signature');
    const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
    const wrong = `whpk_${other.subarray(-32).toString('base64')}`;
    expect(codeOf({ ...signedByKey(), secret: wrong })).toBe('no_matching_signature');
  });

  it('takes no HMAC made of the public key for its signature', () => {
    const by = publicSecret.replace('whpk_', 'whsec_');
    expect(codeOf(signed({ by, secret: publicSecret }))).toBe('no_matching_signature');
  });
});
