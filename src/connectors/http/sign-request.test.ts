import { expect, it } from 'vitest';
import { signRequest } from './sign-request.ts';

it("signs as Amazon's own suite of tests has it (post-x-www-form-urlencoded)", () => {
  const signer = {
    region: 'us-east-1',
    service: 'service',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  };
  const request = {
    url: new URL('https://example.amazonaws.com/'),
    contentType: 'application/x-www-form-urlencoded',
    body: 'Param1=value1',
    nowMs: Date.UTC(2015, 7, 30, 12, 36),
  };
  expect(signRequest(signer, request)).toEqual({
    'x-amz-date': '20150830T123600Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ' +
      'SignedHeaders=content-type;host;x-amz-date, ' +
      'Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  });
  expect(signRequest({ ...signer, sessionToken: 't' }, request)).toMatchObject({
    'x-amz-security-token': 't',
    authorization: expect.stringContaining(
      'SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,',
    ),
  });
});
