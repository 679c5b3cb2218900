import { describe, expect, it } from 'vitest';
import { lookupPublic, publicLookup } from './egress.ts';

describe('lookupPublic', () => {
  it.each([{ all: true }, { all: false }])(
    'refuses a name that resolves to loopback, %j',
    async (options) => {
      const error = await new Promise((resolve) => lookupPublic('localhost', options, resolve));
      expect(error).toMatchObject({ code: 'ERR_ADDRESS_NOT_ALLOWED' });
    },
  );

  it.each([
    [{ all: true }, [{ address: '8.8.8.8', family: 4 }]],
    [{ all: false }, '8.8.8.8'],
  ])('answers in the shape that was asked for, %j', async (options, expected) => {
    // A literal resolves to itself, so this needs no name server.
    const found = await new Promise((resolve) =>
      lookupPublic('8.8.8.8', options, (_, address) => resolve(address)),
    );
    expect(found).toEqual(expected);
  });
});

describe('publicLookup', () => {
  const answers = (...rounds: string[][]) => {
    const lookup = publicLookup((_hostname, _options, callback) => {
      const addresses = (rounds.shift() ?? []).map((address) => ({
        address,
        family: address.includes(':') ? 6 : 4,
      }));
      callback(null, addresses);
    });
    return () =>
      new Promise((resolve) =>
        lookup('provider.example', { all: true }, (error, found) => resolve(error ?? found)),
      );
  };

  it('leaves out what is not public of a name with several addresses', async () => {
    const look = answers(['127.0.0.1', '8.8.8.8', '::1', '2606:4700::1111', '::ffff:10.0.0.1']);
    expect(await look()).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1111', family: 6 },
    ]);
  });

  it('refuses a name that was public before and is not any more', async () => {
    const look = answers(['8.8.8.8'], ['169.254.169.254'], []);
    expect(await look()).toMatchObject([{ address: '8.8.8.8' }]);
    expect(await look()).toMatchObject({ code: 'ERR_ADDRESS_NOT_ALLOWED' });
    expect(await look()).toMatchObject({ code: 'ERR_ADDRESS_NOT_ALLOWED' });
  });
});
