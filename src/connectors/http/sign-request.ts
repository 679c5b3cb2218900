import { createHash, createHmac } from 'node:crypto';
import type { UnsignedRequest } from './preset.ts';

/**
 * Headers of a POST signed by AWS Signature Version 4 ("Create a signed AWS API request" of the IAM User Guide). The path
 * must hold nothing that would have to be encoded, and the URL no query.
 */
export function signRequest(
  signer: {
    region: string;
    service: string;
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken?: string | undefined;
  },
  { url, contentType, body, nowMs }: UnsignedRequest,
): Record<string, string> {
  const { region, service, accessKeyId, secretAccessKey, sessionToken } = signer;
  const time = new Date(nowMs).toISOString().replace(/[:-]|\.\d{3}/g, '');
  const day = time.slice(0, 8);
  // In the order of their names, which is how they are signed.
  const signed: [string, string][] = [
    ['content-type', contentType],
    ['host', url.host],
    ['x-amz-date', time],
    ...(sessionToken === undefined ? [] : [['x-amz-security-token', sessionToken] as [string, string]]),
  ];
  const names = signed.map(([name]) => name).join(';');
  const headers = signed.map(([name, value]) => `${name}:${value}\n`).join('');
  const canonical = ['POST', url.pathname, '', headers, names, sha256(body)].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${secretAccessKey}`,
  );
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  return {
    'x-amz-date': time,
    ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
